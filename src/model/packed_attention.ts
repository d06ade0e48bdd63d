/** Attention for packed rows: several examples share a row, and no token attends to another one. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Spec } from '../backend/index.ts';
import { attentionDocuments } from '../ops/attention/attention_documents.ts';
import { attentionDocumentsDropout } from '../ops/attention/attention_documents_dropout.ts';
import { headShape, weightDropout } from './attention.ts';
import { dropoutIsOn } from './dropout.ts';
import type { Forward } from './forward.ts';

/** The input that attention inside documents reads: `documentStarts` of each row. */
export const documentInputs = (size: { batch_size: number; block_size: number }): Spec[] => [
  { name: 'document_starts', shape: [size.batch_size * size.block_size], dtype: 'int32' },
];

/** Causal attention inside each document of a row. */
export function attendInsideDocuments(forward: Forward, layer: number, qkv: Tensor): Tensor {
  const { tape, model, inputs, batch_size, block_size } = forward;
  const window = model.sliding_window;
  const attrs = { B: batch_size, T: block_size, ...headShape(model), window };
  const document_starts = inputs.get('document_starts');
  if (!dropoutIsOn(forward))
    return tape.apply(attentionDocuments, { qkv, document_starts }, attrs).y;
  const dropoutAttrs = weightDropout(forward, layer);
  const rng = inputs.get('rng');
  const all = { qkv, document_starts, rng };
  return tape.apply(attentionDocumentsDropout, all, { ...attrs, ...dropoutAttrs }).y;
}
