/**
 * The training data of a bundle as flat files of little-endian integers, which Python maps into memory.
 * The text of pretraining is `train.bin` and `val.bin`, as in nanoGPT. The examples of a stage follow one
 * another in the same files, and `_mask.bin` and `_offsets.bin` have their masks and beginnings.
 */
import type { StageConfig } from '../../config/stage/index.ts';
import type { EncodedExample, EncodedPair, StageData, TokenSplit } from '../../data/index.ts';
import { type PackedExample, packExamples } from '../../data/stages/packing.ts';

export type TokenType = 'uint16' | 'uint32';

/** What a run learns from. */
export interface LearnedData {
  /** The text of pretraining. */
  tokens: TokenSplit;
  /** The examples or pairs of a stage; null for pretraining. */
  stage: { config: StageConfig; data: StageData } | null;
}

/** The smallest type that holds every id of a vocabulary. */
export const tokenType = (vocab_size: number): TokenType =>
  vocab_size <= 2 ** 16 ? 'uint16' : 'uint32';

/**
 * Files by their path in the folder `data/`.
 *
 * @param held_out the largest number of validation examples or pairs
 */
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
    for (const [name, bytes] of splitFiles(rowsOf(config, data, side, count), type))
      files.set(`${side}${name}`, bytes);
  }
  return files;
}

/** The rows of one split: examples, packed examples, or the two answers of each pair in turn. */
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

/** The files of one split, by the part of their names that follows "train" or "val". */
function splitFiles(
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
  if (documents.some((lengthsOfRow) => lengthsOfRow !== null)) {
    const documentLengths = documents.map((lengthsOfRow) => lengthsOfRow ?? []);
    files.set('_documents.bin', bytesOf(Uint32Array.from(documentLengths.flat())));
    files.set(
      '_document_offsets.bin',
      bytesOf(offsetsOf(documentLengths.map(({ length }) => length))),
    );
  }
  return files;
}

/** Where each item begins, followed by the end of the last one [items + 1]. */
function offsetsOf(lengths: readonly number[]): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, i) => (offsets[i + 1] = (offsets[i] ?? 0) + length));
  return offsets;
}

function packedIds(ids: Int32Array, type: TokenType): Uint8Array {
  return bytesOf(type === 'uint16' ? Uint16Array.from(ids) : Uint32Array.from(ids));
}

/** Little-endian bytes, which is the byte order of every machine that runs a browser. */
const bytesOf = (values: Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
