/** Packing: several examples share a row, so that less of it is padding. */
import type { EncodedExample } from './types.ts';

/** Examples one after another, none of which attends to another. */
export interface PackedExample extends EncodedExample {
  /** Tokens of each example, in the order of the row. */
  documents: readonly number[];
}

/**
 * Best-fit decreasing (TRL: `packing_strategy bfd`): from the longest to the shortest, each example
 * goes to the row that it fills best. No example is split; those that are longer than a row are cut
 * at their end. The first token of an example is not learned, because what precedes it in the row is
 * another example.
 *
 * @param block_size Tokens of a row.
 */
export function packExamples(
  examples: readonly EncodedExample[],
  block_size: number,
): PackedExample[] {
  const rows: EncodedExample[][] = [];
  // Indices of the rows with this many free tokens.
  const withSpace = Array.from({ length: block_size + 1 }, (): number[] => []);
  const sizeOf = ({ ids }: EncodedExample): number => Math.min(ids.length, block_size);
  for (const example of [...examples].sort((a, b) => sizeOf(b) - sizeOf(a))) {
    const size = sizeOf(example);
    let space = size;
    while (space <= block_size && withSpace[space]?.length === 0) space++;
    const row = withSpace[space]?.pop() ?? rows.push([]) - 1;
    const left = Math.min(space, block_size) - size;
    rows[row]?.push(example);
    withSpace[left]?.push(row);
  }
  return rows.map((row) => joined(row, block_size));
}

/** One example as a row of its own. */
export const unpacked = (example: EncodedExample): PackedExample => ({
  ...example,
  documents: [example.ids.length],
});

function joined(examples: readonly EncodedExample[], block_size: number): PackedExample {
  const documents = examples.map(({ ids }) => Math.min(ids.length, block_size));
  const length = documents.reduce((sum, size) => sum + size, 0);
  const ids = new Int32Array(length);
  const mask = new Uint8Array(length);
  let offset = 0;
  examples.forEach((example, index) => {
    const size = documents[index] ?? 0;
    ids.set(example.ids.subarray(0, size), offset);
    mask.set(example.mask.subarray(0, size), offset);
    mask[offset] = 0;
    offset += size;
  });
  return { ids, mask, documents };
}

/**
 * For each token of a row, the index in the row of the first token of its example; padding tokens
 * are examples of their own. The input `document_starts` of `attention_documents`.
 */
export function documentStarts(documents: readonly number[], block_size: number): Int32Array {
  const starts = Int32Array.from({ length: block_size }, (_, i) => i);
  let offset = 0;
  for (const size of documents) {
    starts.fill(offset, offset, offset + size);
    offset += size;
  }
  return starts;
}
