/** Whether a sample is copied from the training text. */
import type { CorpusSplit } from './types.ts';

export interface MemorizationIndex {
  /** Whether the text occurs in the training text; documents are joined by the separator. */
  contains(text: string): boolean;
  /** Whether the text is one whole training document, except for white space at its ends. */
  isDocument(text: string): boolean;
}

/**
 * Builds the index. `contains` is a plain search of the joined text: V8 searches more than a
 * gigabyte per second, so a sample takes milliseconds against ten megabytes, and a suffix array
 * would take more memory than the text. Documents are looked up in a set.
 */
export function memorizationIndex(
  split: Pick<CorpusSplit, 'train' | 'separator'>,
): MemorizationIndex {
  // With separators at both ends, a sample that includes one matches the first and the last
  // document too.
  const text = `${split.separator}${split.train.join(split.separator)}${split.separator}`;
  const documents = new Set(split.train.map((document) => document.trim()));
  return {
    contains: (sample) => sample !== '' && text.includes(sample),
    isDocument: (sample) => documents.has(sample.trim()),
  };
}
