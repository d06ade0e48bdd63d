/** The programs that an objective's source may call while it makes batches. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Program, readback, submit } from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import { type Generator, type ModelStores, tokenLogps, writeBatch } from '../model/index.ts';
import type { ObjectivePrograms } from '../objectives/index.ts';
import type { TrainerPrograms } from './build.ts';

type LogpsProgram = Program<{ logps: Tensor }>;

export class ObjectiveScoring implements ObjectivePrograms {
  readonly #stores: ModelStores;
  readonly #reference: LogpsProgram | undefined;
  readonly #generation: () => Promise<Generator>;
  #current: Promise<LogpsProgram> | null = null;

  constructor(
    parts: { stores: ModelStores; programs: TrainerPrograms },
    generation: () => Promise<Generator>,
  ) {
    this.#stores = parts.stores;
    this.#reference = parts.programs.referenceLogps;
    this.#generation = generation;
  }

  async logps(batch: Batch): Promise<Float32Array> {
    this.#current ??= tokenLogps(this.#stores, this.#stores.weights);
    return this.#run(await this.#current, batch);
  }

  async referenceLogps(batch: Batch): Promise<Float32Array> {
    if (!this.#reference) throw new Error('This objective has no reference weights.');
    return this.#run(this.#reference, batch);
  }

  generation(): Promise<Generator> {
    return this.#generation();
  }

  dispose(): void {
    // A failed compilation has been reported to the caller of `logps`.
    this.#current?.then((program) => program.dispose()).catch(() => undefined);
  }

  /** Uploads, submits and requests the result in one turn, so no other inputs come between. */
  async #run(program: LogpsProgram, batch: Batch): Promise<Float32Array> {
    const { inputs, model } = this.#stores;
    writeBatch(inputs, model, batch, { seed: 0, step: 0 });
    submit([program]);
    const [logps] = await readback([program.outputs.logps]);
    return logps instanceof Float32Array ? logps : Float32Array.from(logps ?? []);
  }
}
