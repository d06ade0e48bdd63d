/** Heads other than the language model's: parameters and segments. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ResolvedModel } from '../config/index.ts';
import { linear } from '../ops/index.ts';
import { finalNorm, type Forward } from './forward.ts';
import type { Parameter } from './parameters.ts';

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
