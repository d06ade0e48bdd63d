/**
 * The training data of a bundle as flat files of little-endian integers, which Python maps into memory:
 * `train.bin` and `val.bin` as in nanoGPT. Examples of a stage lie one after the other, with their
 * masks and offsets beside them.
 */
import type { StageConfig } from '../../config/stage/index.ts';
import type { EncodedExample, EncodedPair, StageData, TokenSplit } from '../../data/index.ts';
import { type PackedExample, packExamples } from '../../data/stages/packing.ts';

export type TokenType = 'uint16' | 'uint32';

/** What a run learns from. `stage` is null for pretraining, whose text is in `tokens`. */
export interface LearnedData {
  tokens: TokenSplit;
  stage: { config: StageConfig; data: StageData } | null;
}

/** The smallest type that holds every id of a vocabulary. */
export const tokenType = (vocab_size: number): TokenType =>
  vocab_size <= 2 ** 16 ? 'uint16' : 'uint32';

/** Files by their path in the folder `data/`. `held_out` limits the examples that are evaluated. */
export function tokenFiles(
  { tokens, stage }: LearnedData,
  type: TokenType,
  held_out: number,
): Map<string, Uint8Array> {
  if (!stage) {
    return new Map([
      ['train.bin', packedIds(tokens.train, type)],
      ['val.bin', packedIds(tokens.val, type)],
    ]);
  }
  const { config, data } = stage;
  const files = new Map<string, Uint8Array>();
  for (const side of ['train', 'val'] as const) {
    const count = side === 'val' ? held_out : Infinity;
    for (const [name, bytes] of sideFiles(rowsOf(config, data, side, count), type))
      files.set(`${side}${name}`, bytes);
  }
  return files;
}

/** The rows of one side: examples, packed ones, or both answers of each pair in turn. */
function rowsOf(
  { objective, sft }: StageConfig,
  { examples, pairs, row_length }: StageData,
  side: 'train' | 'val',
  count: number,
): readonly (EncodedExample | PackedExample)[] {
  if (objective === 'dpo') return pairs[side].slice(0, count).flatMap(bothAnswers);
  const rows = examples[side].slice(0, count);
  return sft.packing ? packExamples(rows, row_length) : rows;
}

const bothAnswers = ({ chosen, rejected }: EncodedPair): EncodedExample[] => [chosen, rejected];

function sideFiles(
  rows: readonly (EncodedExample | PackedExample)[],
  type: TokenType,
): Map<string, Uint8Array> {
  const lengths = rows.map(({ ids }) => ids.length);
  const offsets = offsetsOf(lengths);
  const total = offsets.at(-1) ?? 0;
  const ids = new Int32Array(total);
  const masks = new Uint8Array(total);
  rows.forEach((row, i) => {
    ids.set(row.ids, offsets[i]);
    masks.set(row.mask, offsets[i]);
  });
  const files = new Map([
    ['.bin', packedIds(ids, type)],
    ['_mask.bin', masks],
    ['_offsets.bin', bytesOf(offsets)],
  ]);
  const documents = rows.map((row) => ('documents' in row ? row.documents : null));
  if (documents.some((one) => one !== null)) {
    const all = documents.map((one) => one ?? []);
    files.set('_documents.bin', bytesOf(Uint32Array.from(all.flat())));
    files.set('_document_offsets.bin', bytesOf(offsetsOf(all.map(({ length }) => length))));
  }
  return files;
}

/** Where each item begins, and the end of the last one [items + 1]. */
function offsetsOf(lengths: readonly number[]): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, i) => (offsets[i + 1] = (offsets[i] ?? 0) + length));
  return offsets;
}

function packedIds(ids: Int32Array, type: TokenType): Uint8Array {
  return bytesOf(type === 'uint16' ? Uint16Array.from(ids) : Uint32Array.from(ids));
}

/** Every machine that runs browsers stores integers with the lowest byte first. */
const bytesOf = (values: Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
