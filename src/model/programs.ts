/**
 * The programs of pretraining: micro-step (forward, loss, backward into the gradient buffers) and
 * evaluation. Each is a function over Stores, compiled by the backend.
 */
import { add, type Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  onWebGpu,
  type Outputs,
  type Program,
  Store,
  withActivations,
} from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { run, scaledWeights, stepSums } from '../ops/index.ts';
import { type Forward, head, hiddenStates, tokenLosses } from './forward.ts';
import { Gradients, noGradients } from './gradients.ts';
import { Tape } from './tape.ts';

/** What the programs of one model share. */
export interface ModelStores {
  model: ResolvedModel;
  weights: Store;
  gradients: Gradients;
  inputs: Store;
  rotary: Store | null;
  /** loss and accuracy of the step so far: each micro-step adds its part; `sums` [2]. */
  sums: Store;
  batch_size: number;
  block_size: number;
  activation_checkpointing: boolean;
  /**
   * Mixed precision (WebGPU alone): activations are stored as halves, and the backward pass starts
   * from the loss times `scale` [1].
   */
  loss_scale: Store | null;
  /**
   * Tokens of the vocabulary whose logits exist at a time in training and evaluation; `vocab_size`
   * or more: all of them.
   */
  logits_chunk: number;
}

/** Sums over a step, in the order of `sums`. */
export const SUMS = ['loss', 'accuracy'] as const;

const forwardOf = (s: ModelStores, tape: Tape, training: boolean): Forward => ({
  tape,
  model: s.model,
  weights: s.weights,
  inputs: s.inputs,
  rotary: s.rotary,
  batch_size: s.batch_size,
  block_size: s.block_size,
  training,
});

/** `fn` as a program in the model's precision. */
const compile = <O extends Outputs>(
  s: ModelStores,
  name: string,
  fn: () => O,
): Promise<Program<O>> =>
  compileProgram(name, () => withActivations(s.loss_scale ? 'float16' : 'float32', fn));

/**
 * One micro-batch: its weighted loss and accuracy are added to `sums`, its gradients to the
 * gradient buffers.
 */
export function trainingMicroStep(s: ModelStores): Promise<Program> {
  return compile(s, 'training micro-step', () => {
    s.gradients.refresh();
    const tape = new Tape(s.gradients, true);
    const f = forwardOf(s, tape, true);
    const weights = s.inputs.get('weights');
    const { loss, correct, lse, probability } = tokenLosses(
      f,
      hiddenStates(f, s.activation_checkpointing),
      s.logits_chunk,
    );
    addSums(s.sums, weights, loss, correct);
    for (const t of [correct, lse, probability]) tape.release(t);
    tape.backward(
      loss,
      s.loss_scale
        ? run(scaledWeights, { weights, scale: s.loss_scale.get('scale') }, {}).scaled
        : weights,
    );
    tape.release(loss);
    return {};
  });
}

/**
 * Forward alone over the inputs: `sums` [2] (weighted loss, accuracy) and the loss of each token,
 * nats [tokens]. `tapped`: with the taps of Forward among the outputs.
 */
export function evaluation(
  s: ModelStores,
  tapped = false,
): Promise<Program<{ sums: Tensor; token_loss: Tensor } & Record<string, Tensor>>> {
  return compile(s, 'evaluation', () => {
    const taps: Record<string, Tensor> = {};
    const tape = new Tape(noGradients, false);
    const f: Forward = { ...forwardOf(s, tape, false), ...(tapped ? { taps } : {}) };
    const { loss, correct } = tokenLosses(f, hiddenStates(f), s.logits_chunk);
    return {
      sums: run(stepSums, { weights: s.inputs.get('weights'), loss, correct }, {}).sums,
      token_loss: loss,
      ...taps,
    };
  });
}

/** Logits of every position [tokens, vocab_size]: for checks against other implementations. */
export function logitsProgram(s: ModelStores): Promise<Program<{ logits: Tensor }>> {
  return compile(s, 'logits', () => {
    const f = forwardOf(s, new Tape(noGradients, false), false);
    return { logits: head(f, hiddenStates(f)) };
  });
}

function addSums(store: Store, weights: Tensor, loss: Tensor, correct: Tensor): void {
  const sums = store.get('sums');
  const part = run(stepSums, { weights, loss, correct }, {}, onWebGpu() ? { sums } : {}).sums;
  if (!onWebGpu()) store.replace('sums', add(sums, part));
}
