/** The programs that an objective's source may call while it makes batches. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Program, readback, submit, type Values } from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import { type Generator, tokenLogps, valueProgram, writeBatch } from '../model/index.ts';
import { type ObjectivePrograms, tracedValues } from '../objectives/index.ts';
import type { Rollout, RolloutRequest } from '../rollout/index.ts';
import type { TrainerParts } from './build.ts';
import { RolloutPool } from './rollout_pool.ts';

type ScoredParts = Pick<
  TrainerParts,
  'stores' | 'programs' | 'objective' | 'setting' | 'reference'
>;

export class ObjectiveScoring implements ObjectivePrograms {
  readonly #parts: ScoredParts;
  readonly #generation: () => Promise<Generator>;
  readonly #rollouts: RolloutPool;
  #current: Promise<Program<{ logps: Tensor }>> | null = null;
  /** The objective's programs, compiled when they are first called. */
  readonly #named = new Map<string, Promise<Program<{ values: Tensor }>>>();

  constructor(parts: ScoredParts, generation: () => Promise<Generator>) {
    this.#parts = parts;
    this.#generation = generation;
    this.#rollouts = new RolloutPool(parts.stores, parts.setting.data);
  }

  async logps(batch: Batch): Promise<Float32Array> {
    const { stores } = this.#parts;
    this.#current ??= tokenLogps(stores, stores.weights);
    const program = await this.#current;
    return this.#run(program, () => program.outputs.logps, batch);
  }

  async referenceLogps(batch: Batch): Promise<Float32Array> {
    const program = this.#parts.programs.referenceLogps;
    if (!program) throw new Error('This objective has no reference weights.');
    return this.#run(program, () => program.outputs.logps, batch);
  }

  async run(name: string, batch: Batch): Promise<Float32Array> {
    const compiled = this.#named.get(name) ?? this.#compile(name);
    this.#named.set(name, compiled);
    const program = await compiled;
    return this.#run(program, () => program.outputs.values, batch);
  }

  rollouts(request: RolloutRequest): Promise<Rollout[]> {
    return this.#rollouts.generate(request);
  }

  generation(): Promise<Generator> {
    return this.#generation();
  }

  dispose(): void {
    this.#rollouts.dispose();
    for (const compiled of [this.#current, ...this.#named.values()]) {
      // A failed compilation has been reported to the caller.
      compiled?.then((program) => program.dispose()).catch(() => undefined);
    }
  }

  #compile(name: string): Promise<Program<{ values: Tensor }>> {
    const { stores, objective, setting, reference } = this.#parts;
    const program = objective.programs[name];
    if (!program) throw new Error(`The objective ${objective.name} has no program ${name}.`);
    return valueProgram(stores, { name, reference }, tracedValues(program, setting));
  }

  /**
   * Uploads, submits and requests the result in one turn, so no other inputs come between. Without
   * replay, outputs exist only after the run.
   */
  async #run(program: Program, output: () => Tensor, batch: Batch): Promise<Float32Array> {
    const { inputs, model } = this.#parts.stores;
    writeBatch(inputs, model, batch, { seed: 0, step: 0 });
    submit([program]);
    const [values] = await readback([output()]);
    return floats(values);
  }
}

const floats = (values: Values | undefined): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values ?? []);
