/**
 * One optimizer step on the device: micro-batches are uploaded and submitted one after the other,
 * the last together with the update and the copy of its results, in one submit. Only programs with
 * boundaries are submitted in parts.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  onWebGpu,
  type Program,
  type Ring,
  submit,
  submitWithBoundaries,
} from '../backend/index.ts';
import type { Batch, Shard } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import {
  type ModelStores,
  type PreparedInputs,
  prepareInputs,
  writeInputs,
} from '../model/index.ts';
import type { Source } from '../objectives/index.ts';

/** The programs that one step submits. */
export interface StepPrograms {
  microStep: Program;
  update: Program<{ results: Tensor }>;
}

/** What one step computes with. */
export interface StepInput {
  step: number;
  inputs: readonly PreparedInputs[];
  /** Tokens that are not padding. */
  tokens: number;
}

/** Micro-batches of the next step, made while the device works on the current one. */
export class StepInputs {
  #prepared: StepInput | null = null;
  /** Whether the source returns promises; then the next step's batches are not made ahead. */
  #asynchronous = false;

  constructor(
    readonly source: Source,
    readonly model: ResolvedModel,
  ) {}

  /** Inputs of all micro-batches of a step; a promise if the source returns one. */
  take(step: number): StepInput | Promise<StepInput> {
    if (this.#prepared?.step === step) return this.#prepared;
    const batches = this.source.step(step);
    if (!(batches instanceof Promise)) return this.#prepare(step, batches);
    this.#asynchronous = true;
    return batches.then((made) => this.#prepare(step, made));
  }

  /** Makes the inputs of a step ahead. An asynchronous source may depend on the latest weights. */
  prefetch(step: number): void {
    if (this.#asynchronous) return;
    const input = this.take(step);
    if (!(input instanceof Promise)) this.#prepared = input;
  }

  /** Later steps draw from this part of the text; the batches made ahead are dropped. */
  setShard(shard: Shard): void {
    this.#prepared = null;
    this.source.setShard?.(shard);
  }

  #prepare(step: number, batches: readonly Batch[]): StepInput {
    return {
      step,
      inputs: batches.map((batch) => prepareInputs(this.model, batch)),
      tokens: batches.reduce((sum, batch) => sum + (batch.tokens ?? batch.ids.length), 0),
    };
  }
}

export interface StepSubmission {
  programs: StepPrograms;
  stores: ModelStores;
  ring: Ring;
  seed: number;
  /** Counted from 0. */
  step: number;
}

/**
 * Submits a step; its results arrive in the ring under the number of steps taken. Returns a promise
 * only if one of the programs has boundaries: it resolves when everything is submitted, and rejects
 * with the error of a collective.
 */
export function submitStep(
  inputs: readonly PreparedInputs[],
  submission: StepSubmission,
): void | Promise<void> {
  const { microStep, update } = submission.programs;
  if (microStep.boundaries.length > 0 || update.boundaries.length > 0) {
    return submitInParts(inputs, submission);
  }
  submitAtOnce(inputs, submission);
}

function submitAtOnce(inputs: readonly PreparedInputs[], submission: StepSubmission): void {
  const { programs, stores, ring, seed, step } = submission;
  const { microStep, update } = programs;
  inputs.forEach((prepared, micro) => {
    writeInputs(stores.inputs, prepared, { seed, step });
    if (micro < inputs.length - 1) submit([microStep]);
  });
  if (onWebGpu() && update.encode) {
    submit([microStep, update, ...ring.push(step + 1, update.outputs.results)]);
    return;
  }
  // Without replay, outputs exist only after the run, so the ring copies them then.
  submit([microStep, update]);
  submit(ring.push(step + 1, update.outputs.results));
}

/** Submits up to each boundary, waits for its collective, and continues. */
async function submitInParts(
  inputs: readonly PreparedInputs[],
  submission: StepSubmission,
): Promise<void> {
  const { programs, stores, ring, seed, step } = submission;
  const { microStep, update } = programs;
  for (const prepared of inputs) {
    writeInputs(stores.inputs, prepared, { seed, step });
    await submitWithBoundaries([microStep]);
  }
  await submitWithBoundaries([update]);
  // Pushed only now: a step whose collective fails must not leave an entry in the ring.
  submit(ring.push(step + 1, update.outputs.results));
}
