/**
 * The programs of a run: micro-step (forward, loss, backward into the gradient buffers), evaluation
 * and per-token log-probabilities. Each is a function over Stores, compiled by the backend. What is
 * learned comes in as a traced loss, so no program knows the objective.
 */
import { add, neg, type Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  hasOwnKernels,
  type Outputs,
  type Program,
  type Store,
  withActivations,
} from '../backend/index.ts';
import type { RecomputeGranularity } from '../config/index.ts';
import { run, scaledWeights } from '../ops/index.ts';
import type { Forward } from './forward.ts';
import { noGradients } from './gradients.ts';
import { head, tokenLosses } from './heads.ts';
import { hiddenStates } from './hidden_states.ts';
import type { ForwardStores, ModelStores } from './stores.ts';
import { Tape } from './tape.ts';
import type { ParameterSource } from './weights.ts';

/** What a loss is traced from. */
export interface LossContext {
  forward: Forward;
  /** Last hidden states, before the final norm and the head [tokens, n_embd]; consumed by the loss. */
  hidden: Tensor;
  /** See ModelStores. */
  logits_chunk: number;
}

/** What values beside the loss are traced from: scores, values and log-probabilities. */
export interface ValueContext {
  forward: Forward;
  /** The same pass over the frozen reference weights; null for an objective without a reference. */
  reference: Forward | null;
  /** See ModelStores. */
  logits_chunk: number;
}

/** A loss as it is traced: values, their weights, and what the step adds up. */
export interface TracedLoss {
  /** Values whose weighted sum is the loss [n]: one per token, row or pair. Backward starts here. */
  loss: Tensor;
  /** Weight of each value [n], which is also the gradient of the step's loss with respect to it. */
  weights: Tensor;
  /**
   * The micro-batch's contribution to the step's sums [number of sums]. With `into` it is added to
   * that tensor in place, which is then the result.
   */
  sums: (into: Tensor | undefined) => Tensor;
  /** Further outputs that nothing reads after the sums. */
  statistics?: readonly Tensor[];
}

export type LossFunction = (context: LossContext) => TracedLoss;

/**
 * One micro-batch: adds its contribution to `sums`, and the gradients of the trainable parameters to
 * the gradient buffers.
 */
export function trainingMicroStep(stores: ModelStores, loss: LossFunction): Promise<Program> {
  return compileFor(stores, 'training micro-step', () => {
    stores.gradients.refresh();
    const tape = new Tape(stores.gradients, true);
    const { recompute_granularity } = stores;
    const forward = forwardOf(stores, tape, { training: true, recompute_granularity });
    const hidden = hiddenStates(forward);
    const traced = loss({ forward, hidden, logits_chunk: stores.logits_chunk });
    addToSums(stores.sums, traced);
    for (const tensor of traced.statistics ?? []) tape.release(tensor);
    tape.backward(traced.loss, scaledByLoss(stores, traced.weights));
    stores.gradients.flush?.();
    tape.release(traced.loss);
    return {};
  });
}

/**
 * Forward only, dropout off: `sums` as the micro-step would add them, and `losses` [n], the values
 * of the traced loss.
 */
export function evaluation(
  stores: ModelStores,
  loss: LossFunction,
): Promise<Program<{ sums: Tensor; losses: Tensor }>> {
  return compileFor(stores, 'evaluation', () => {
    const forward = forwardOf(stores, new Tape(noGradients, false), { training: false });
    const hidden = hiddenStates(forward);
    const traced = loss({ forward, hidden, logits_chunk: stores.logits_chunk });
    return { sums: traced.sums(undefined), losses: traced.loss };
  });
}

/**
 * Log-probability of each target under `weights` [tokens], nats, dropout off: what reference
 * models, old policies and scoring need.
 */
export function tokenLogps(
  stores: ForwardStores,
  weights: ParameterSource,
): Promise<Program<{ logps: Tensor }>> {
  return compileFor(stores, 'token log-probabilities', () => {
    const tape = new Tape(noGradients, false);
    const forward = forwardOf(stores, tape, { training: false, weights });
    const { logits_chunk } = stores;
    return { logps: targetLogps({ forward, hidden: hiddenStates(forward), logits_chunk }) };
  });
}

/** Log-probability of each target [tokens], nats. */
export const targetLogps = ({ forward, hidden, logits_chunk }: LossContext): Tensor =>
  neg(tokenLosses(forward, hidden, logits_chunk).loss);

/** What `trace` returns of a batch, forward only and dropout off. */
export function valueProgram(
  stores: ForwardStores,
  { name, reference }: { name: string; reference: ParameterSource | null },
  trace: (context: ValueContext) => Tensor,
): Promise<Program<{ values: Tensor }>> {
  return compileFor(stores, name, () => {
    const tape = new Tape(noGradients, false);
    const forward = forwardOf(stores, tape, { training: false });
    const overReference =
      reference && forwardOf(stores, tape, { training: false, weights: reference });
    const { logits_chunk } = stores;
    return { values: trace({ forward, reference: overReference, logits_chunk }) };
  });
}

/** Logits of every position [tokens, vocab_size]: for checks against other implementations. */
export function logitsProgram(stores: ModelStores): Promise<Program<{ logits: Tensor }>> {
  return compileFor(stores, 'logits', () => {
    const forward = forwardOf(stores, new Tape(noGradients, false), { training: false });
    return { logits: head(forward, hiddenStates(forward)) };
  });
}

export interface ForwardChoices {
  training: boolean;
  recompute_granularity?: RecomputeGranularity;
  /** Defaults to the weights of the run. */
  weights?: ParameterSource;
}

/** What the segments of a program over these stores read. */
export function forwardOf(stores: ForwardStores, tape: Tape, choices: ForwardChoices): Forward {
  const weights = choices.weights ?? stores.weights;
  return {
    tape,
    model: stores.model,
    weights: weights.onTape?.(tape) ?? weights,
    inputs: stores.inputs,
    rotary: stores.rotary,
    batch_size: stores.batch_size,
    block_size: stores.block_size,
    training: choices.training,
    recompute_granularity: choices.recompute_granularity,
    attend: stores.attend,
    tensor_parallel: stores.tensor_parallel,
  };
}

/** Compiles `fn` in the precision of the run. */
export function compileFor<O extends Outputs>(
  stores: ForwardStores,
  name: string,
  fn: () => O,
): Promise<Program<O>> {
  const activations = stores.loss_scale ? 'float16' : 'float32';
  return compileProgram(name, () => withActivations(activations, fn));
}

/** The gradient that backward starts from: the weights, times the loss scale if there is one. */
export function scaledByLoss(stores: ModelStores, weights: Tensor): Tensor {
  if (!stores.loss_scale) return weights;
  return run(scaledWeights, { weights, scale: stores.loss_scale.get('scale') }, {}).scaled;
}

/** Adds the contribution of a micro-batch to the sums of the step. */
export function addToSums(store: Store, traced: TracedLoss): void {
  const sums = store.get('sums');
  if (hasOwnKernels()) traced.sums(sums);
  else store.replace('sums', add(sums, traced.sums(undefined)));
}
