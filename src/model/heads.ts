/** What follows the last hidden states: the language head with its loss, and the scalar head. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ResolvedModel } from '../config/index.ts';
import {
  crossEntropy,
  headCrossEntropy,
  linear,
  matmul,
  scale,
  type Tensors,
} from '../ops/index.ts';
import type { Forward, TensorParallel } from './forward.ts';
import { finalNormName, headName } from './layout.ts';
import type { Parameter } from './parameters.ts';
import { norm } from './projections.ts';

/** The norm before any head [tokens, n_embd]. */
function finalNorm(forward: Forward, hidden: Tensor): Tensor {
  return norm(forward, finalNormName(forward.model), hidden);
}

/**
 * The normed hidden states over the temperature, so that the head gives logits over the temperature:
 * for log-probabilities at the temperature that a policy samples at.
 */
function atTemperature(forward: Forward, hidden: Tensor, temperature: number): Tensor {
  const x = finalNorm(forward, hidden);
  if (temperature === 1) return x;
  return forward.tape.apply(scale, { x }, { factor: 1 / temperature }).y;
}

/** Final norm and language head: logits [tokens, vocab_size], over the temperature if not 1. */
export function head(forward: Forward, hidden: Tensor, temperature = 1): Tensor {
  const { tape, model, weights } = forward;
  if (forward.tensor_parallel) throw new Error('No rank has all logits.');
  const a = atTemperature(forward, hidden, temperature);
  const b = weights.get(headName(model));
  return tape.apply(matmul, { a, b }, { transpose_a: false, transpose_b: true }).c;
}

export type TokenLosses = Tensors<'loss' | 'lse' | 'probability' | 'correct'>;

/**
 * Final norm, language head and cross-entropy with the targets, [tokens] each; of the logits over
 * `temperature` if it is not 1. Logits exist for `chunk` entries of the vocabulary at a time.
 * `hidden` is released.
 */
export function tokenLosses(
  forward: Forward,
  hidden: Tensor,
  chunk: number,
  temperature = 1,
): TokenLosses {
  const { tape, model, inputs } = forward;
  if (chunk < model.vocab_size || forward.tensor_parallel) {
    const operands = headOperands(forward, hidden, temperature);
    const losses = lossesInChunks(forward, operands, chunk);
    tape.release(operands.x);
    return losses;
  }
  const logits = tape.segment(() => head(forward, hidden, temperature));
  tape.release(hidden);
  const losses = tape.apply(crossEntropy, { logits, targets: inputs.get('targets') }, {});
  tape.release(logits);
  return losses;
}

/**
 * `tokenLosses` where ranks share out the vocabulary, and the entropies beside them [tokens], nats,
 * which cost another matmul of the head here.
 */
export function parallelLossesAndEntropy(
  forward: Forward,
  parallel: TensorParallel,
  hidden: Tensor,
  { chunk, temperature }: { chunk: number; temperature: number },
): TokenLosses & Tensors<'entropy'> {
  const operands = headOperands(forward, hidden, temperature);
  const losses = lossesInChunks(forward, operands, chunk);
  const entropy = parallel.entropy({ ...operands, lse: losses.lse }, chunk);
  forward.tape.release(operands.x);
  return { ...losses, entropy };
}

/** What the head multiplies, where no tensor has all logits. `hidden` is released. */
function headOperands(
  forward: Forward,
  hidden: Tensor,
  temperature: number,
): Tensors<'x' | 'weight'> {
  const { tape, model, weights } = forward;
  const x = tape.segment(() => atTemperature(forward, hidden, temperature));
  tape.release(hidden);
  forward.tensor_parallel?.copyToRegion(tape, x);
  return { x, weight: weights.get(headName(model)) };
}

function lossesInChunks(
  { tape, inputs, tensor_parallel }: Forward,
  operands: Tensors<'x' | 'weight'>,
  chunk: number,
): TokenLosses {
  const targets = inputs.get('targets');
  const exchange = tensor_parallel?.exchangeRows;
  return tape.apply(headCrossEntropy, { ...operands, targets }, { chunk, exchange });
}

/** Name of the scalar head's weight, as in transformers' `ForSequenceClassification` models. */
const SCORE = 'score.weight';

/** The scalar head [n_embd, 1], which `transformers` stores transposed. */
export function scoreParameter(model: ResolvedModel): Parameter {
  return {
    name: SCORE,
    shape: [model.n_embd, 1],
    init: { kind: 'normal', std: 0.02 },
    decay: true,
    kind: 'head',
    parts: [{ name: SCORE, start: 0, end: 1, transpose: true }],
  };
}

/** Final norm and scalar head: a value per token [tokens, 1]. `hidden` is released. */
export function scores(forward: Forward, hidden: Tensor): Tensor {
  const { tape, weights } = forward;
  const normed = tape.segment(() => finalNorm(forward, hidden));
  tape.release(hidden);
  const { y } = tape.apply(linear, { x: normed, weight: weights.get(SCORE) }, {});
  tape.release(normed);
  return y;
}
