/**
 * The programs of one stage of a pipeline: consecutive blocks, on the first stage also the embedding,
 * on the last one also the loss. They need kernels of ours (WebGPU or the engine on the processor).
 */
import { clone, type Tensor } from '@tensorflow/tfjs-core';
import { boundary, type Collective, output, type Outputs, type Program } from '../backend/index.ts';
import type { Forward } from './forward.ts';
import { noGradients } from './gradients.ts';
import { embedTokens, runBlocks } from './hidden_states.ts';
import {
  addToSums,
  compileFor,
  forwardOf,
  type LossContext,
  type LossFunction,
  scaledByLoss,
  type TracedLoss,
} from './programs.ts';
import type { ModelStores } from './stores.ts';
import { Tape } from './tape.ts';
import type { ParameterSource } from './weights.ts';

/** Blocks [start, end) of the model. */
export interface ModelStage {
  start: number;
  end: number;
  /** Whether it has the embedding. */
  isFirst: boolean;
  /** Whether it has the final norm, the head and the loss. */
  isLast: boolean;
}

/** Where the programs of a stage exchange values with its neighbours. */
export interface StageCollectives {
  /** Writes the stage's input [tokens, n_embd]. The first stage has none. */
  input: Collective;
  /**
   * Runs between forward and backward, for as long as the micro-batch waits for its backward pass.
   * Writes the gradient of the stage's output [tokens, n_embd]; on the last stage the tensor is the
   * loss, which stays as it is.
   */
  turn: Collective;
}

/**
 * One micro-batch on one stage, as `trainingMicroStep` is on a whole model. Outputs: `hidden`, the
 * stage's output, valid from the turn on, except on the last stage; `gradient`, that of the stage's
 * input, valid at the end, except on the first stage [tokens, n_embd] each.
 *
 * Everything that backward needs has memory of the program's own while it waits at the turn, so that
 * several micro-batches in flight are several programs.
 */
export function stageMicroStep(
  stores: ModelStores,
  stage: ModelStage,
  loss: LossFunction,
  collectives: StageCollectives,
): Promise<Program> {
  return compileFor(stores, 'stage micro-step', () => {
    stores.gradients.refresh();
    const tape = new Tape(stores.gradients, true);
    const { recompute_granularity } = stores;
    const forward = forwardOf(stores, tape, { training: true, recompute_granularity });
    const x = stageInput(forward, stage, collectives.input);
    if (!stage.isFirst) tape.watch(x);
    const hidden = runBlocks(forward, x, stage);
    if (!stage.isLast) {
      const dy = boundary(activationOf(stores), collectives.turn);
      return withGradient({ hidden }, tape.gradientOf(x, hidden, dy));
    }
    const traced = lossOf(stores, forward, hidden, loss);
    addToSums(stores.sums, traced);
    for (const tensor of traced.statistics ?? []) tape.release(tensor);
    boundary(traced.loss, collectives.turn);
    const seed = clone(scaledByLoss(stores, traced.weights));
    const gradient = tape.gradientOf(x, traced.loss, seed);
    tape.release(traced.loss);
    return withGradient({}, gradient);
  });
}

/** What the last stage makes of its hidden states, which it releases. */
export type StageEnd = (context: LossContext) => Tensor;

export interface StageForward {
  name: string;
  weights: ParameterSource;
  /** Writes the stage's input [tokens, n_embd]. The first stage has none. */
  input: Collective;
  end: StageEnd;
}

/** Forward only, dropout off. Output: `hidden` [tokens, n_embd], or on the last stage `result`. */
export function stageForward(
  stores: ModelStores,
  stage: ModelStage,
  { name, weights, input, end }: StageForward,
): Promise<Program> {
  return compileFor(stores, `stage ${name}`, (): Outputs => {
    const tape = new Tape(noGradients, false);
    const forward = forwardOf(stores, tape, { training: false, weights });
    const x = stageInput(forward, stage, input);
    const hidden = runBlocks(forward, x, stage);
    if (!stage.isLast) return { hidden };
    return { result: end({ forward, hidden, logits_chunk: stores.logits_chunk }) };
  });
}

/** The end of an evaluation: the sums of a loss. */
export const sumsOf =
  (loss: LossFunction): StageEnd =>
  (context) =>
    loss(context).sums(undefined);

function stageInput(forward: Forward, { isFirst }: ModelStage, input: Collective): Tensor {
  return isFirst ? embedTokens(forward) : boundary(activationOf(forward), input);
}

/** A tensor that a collective will write [tokens, n_embd]. */
function activationOf({
  model,
  batch_size,
  block_size,
}: Pick<Forward, 'model' | 'batch_size' | 'block_size'>): Tensor {
  return output([batch_size * block_size, model.n_embd]);
}

function lossOf(
  { logits_chunk }: ModelStores,
  forward: Forward,
  hidden: Tensor,
  loss: LossFunction,
): TracedLoss {
  return loss({ forward, hidden, logits_chunk });
}

function withGradient(outputs: Outputs, gradient: Tensor | undefined): Outputs {
  return gradient ? { ...outputs, gradient } : outputs;
}
