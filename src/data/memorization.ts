/** Does a sample stand word for word in the training text? */
import type { CorpusSplit } from './types.ts';

export interface MemorizationIndex {
  /**
   * Stands somewhere in the training text, across documents too, where they are joined by the
   * separator.
   */
  contains(text: string): boolean;
  /** Is one whole training document, white space at the ends aside. */
  isDocument(text: string): boolean;
}

/**
 * A plain search of the joined text, which V8 does at more than a gigabyte a second: a sample
 * against ten megabytes takes milliseconds, and a suffix array would take more memory than the
 * text. Documents are looked up in a set.
 */
export function memorizationIndex(
  split: Pick<CorpusSplit, 'train' | 'separator'>,
): MemorizationIndex {
  // With separators at both ends, a sample that holds one is found at the first and the last
  // document too.
  const text = `${split.separator}${split.train.join(split.separator)}${split.separator}`;
  const documents = new Set(split.train.map((document) => document.trim()));
  return {
    contains: (sample) => sample !== '' && text.includes(sample),
    isDocument: (sample) => documents.has(sample.trim()),
  };
}
