/** How a rank runs the micro-batches of a step and of an evaluation. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  type Arena,
  type Program,
  programPool,
  readback,
  submitWithBoundaries,
} from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import {
  evaluation,
  type LossFunction,
  type ModelStores,
  type RandomState,
  trainingMicroStep,
  writeInputs,
} from '../model/index.ts';
import { prepareFor } from './prepare.ts';
import type { Recorder } from './traffic.ts';
import { now } from './transport/link.ts';

/** Runs micro-batches through the layers of this rank; pipelines have an implementation of their own. */
export interface MicroBatches {
  /** Runs forward and backward of all micro-batches, and accumulates gradients and sums in the stores. */
  train(batches: readonly Batch[], random: RandomState): Promise<void>;
  /** Sums of one batch, forward only; zeros on a rank that does not hold the loss. */
  evaluate(batch: Batch, random: RandomState): Promise<Float32Array>;
  /** Bytes of its programs: outputs, constants, and tensors that are alive across boundaries. */
  readonly ownBytes: number;
  /** Bytes of shared scratch that its largest program needs. */
  readonly scratchBytes: number;
  /**
   * Memory of tensors that stay alive while a program waits for other ranks. Programs that run between
   * two micro-batches may share it. Undefined if each program has memory of its own.
   */
  readonly pool?: Arena | undefined;
  dispose(): void;
}

/** All layers are on this rank, which runs one micro-batch after the other. */
export class SequentialMicroBatches implements MicroBatches {
  readonly #stores: ModelStores;
  readonly #recorder: Recorder;
  readonly #step: Program;
  readonly #evaluation: Program<{ sums: Tensor }>;
  /** Holds gathered weights and all other tensors that are alive while a program waits. */
  readonly pool: Arena | undefined;

  private constructor(
    stores: ModelStores,
    recorder: Recorder,
    programs: { step: Program; evaluation: Program<{ sums: Tensor; losses: Tensor }> },
    pool: Arena | undefined,
  ) {
    this.#stores = stores;
    this.#recorder = recorder;
    this.#step = programs.step;
    this.#evaluation = programs.evaluation;
    this.pool = pool;
  }

  /** @throws ShaderError or BindingTooLarge */
  static async create(
    stores: ModelStores,
    loss: LossFunction,
    recorder: Recorder,
  ): Promise<SequentialMicroBatches> {
    const pool = programPool();
    const [step, evaluate] = await Promise.all([
      trainingMicroStep({ ...stores, pool }, loss),
      evaluation({ ...stores, pool }, loss),
    ]);
    return new SequentialMicroBatches(stores, recorder, { step, evaluation: evaluate }, pool);
  }

  get ownBytes(): number {
    return this.#step.ownBytes + this.#evaluation.ownBytes + (this.pool?.bytes ?? 0);
  }
  get scratchBytes(): number {
    return Math.max(this.#step.scratchBytes, this.#evaluation.scratchBytes);
  }

  async train(batches: readonly Batch[], random: RandomState): Promise<void> {
    const { inputs, gradients } = this.#stores;
    for (const [index, batch] of batches.entries()) {
      writeInputs(inputs, prepareFor(this.#stores, batch), random);
      gradients.require_backward_grad_sync = index === batches.length - 1;
      const start = now();
      await submitWithBoundaries([this.#step]);
      const what = `micro-batch ${index}`;
      this.#recorder.span({ kind: 'compute', what, start, end: now() });
      await this.#stores.gradients.finishMicroBatch?.();
    }
  }

  async evaluate(batch: Batch, random: RandomState): Promise<Float32Array> {
    writeInputs(this.#stores.inputs, prepareFor(this.#stores, batch), random);
    await submitWithBoundaries([this.#evaluation]);
    const [sums] = await readback([this.#evaluation.outputs.sums]);
    return Float32Array.from(sums ?? []);
  }

  dispose(): void {
    this.#step.dispose();
    this.#evaluation.dispose();
  }
}
