/** Cases of attention inside documents. */
import type { CaseRandom, HostTensor } from '../define.ts';
import type { AttentionAttrs, AttentionDropoutAttrs } from './attrs.ts';
import { documentStartsOf } from './documents.ts';

export interface DocumentShape<A extends AttentionAttrs> {
  name: string;
  /** Lengths of the documents of each sequence; the rest of a sequence is padding. */
  documents: readonly (readonly number[])[];
  attrs: A;
}

const one = { B: 1, n_head: 1, n_kv_head: 1, head_dim: 4, window: 0 };
const grouped = { B: 2, T: 6, n_head: 4, n_kv_head: 2, head_dim: 4, window: 0 };

/** Boundaries at the edges and in the middle of a tile, with grouped heads and windows. */
export const documentShapes: readonly DocumentShape<AttentionAttrs>[] = [
  {
    name: 'one document',
    documents: [[5], [5]],
    attrs: { ...one, B: 2, T: 5, n_head: 2, n_kv_head: 2 },
  },
  {
    name: 'grouped heads, boundary at 1, padding',
    documents: [
      [1, 5],
      [2, 2],
    ],
    attrs: grouped,
  },
  {
    name: 'a length per row, padded on the right and on the left',
    documents: [[3], [1, 1, 4]],
    attrs: { ...one, B: 2, T: 6 },
  },
  { name: 'one token per document', documents: [[1, 1, 1, 1]], attrs: { ...one, T: 4 } },
  { name: 'several tiles', documents: [[3, 14, 15, 5]], attrs: { ...one, T: 37 } },
  {
    name: 'window',
    documents: [[4, 5]],
    attrs: { ...one, T: 9, n_head: 2, window: 3 },
  },
];

/** Shapes that finite differences would take too long for. */
export const longDocumentShapes: readonly DocumentShape<AttentionAttrs>[] = [
  {
    name: 'three tiles, grouped heads',
    documents: [[33, 3, 34]],
    attrs: { ...one, T: 70, n_head: 2 },
  },
  {
    name: 'window over tiles',
    documents: [[10, 50, 10]],
    attrs: { ...one, T: 70, window: 20 },
  },
];

export const droppedDocumentShapes: readonly (DocumentShape<AttentionDropoutAttrs> & {
  rng: readonly number[];
})[] = [
  {
    name: 'grouped heads, boundary at 1, padding',
    documents: [
      [1, 5],
      [2, 2],
    ],
    rng: [1337, 12, 6, 0],
    attrs: { ...grouped, site: 3, rate: 0.4 },
  },
  {
    name: 'several tiles, window',
    documents: [[10, 27, 3]],
    rng: [2147483647, 99_999_999, 1_000_000, 0],
    attrs: { ...one, T: 40, window: 16, site: 12, rate: 0.2 },
  },
];

/** `document_starts`, int32 [B T]. */
export function documentStartsTensor(
  random: CaseRandom,
  { documents, attrs: { B, T } }: DocumentShape<AttentionAttrs>,
): HostTensor {
  const starts = documents.flatMap((lengths) => [...documentStartsOf(lengths, T)]);
  return random.values([B * T], starts, 'int32');
}
