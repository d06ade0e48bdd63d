/** Cuts a corpus into training and validation text, by document. */
import { DataError } from './errors.ts';
import { seededRandom } from './random.ts';
import type { Corpus, CorpusSplit } from './types.ts';

export interface SplitOptions {
  /** Share of the characters held out. */
  val_fraction: number;
  /** One seed for every run by default, so that validation losses of two runs can be compared. */
  seed?: number;
}

/** First occurrences, in order. */
function unique(documents: readonly string[]): string[] {
  return [...new Set(documents)];
}

/**
 * Duplicates are removed first, so that no validation document stands in the training text as well.
 * Documents are then drawn in a seeded order into validation until they hold `val_fraction` of the
 * characters; a document that would overshoot is passed over. Both sides keep the corpus's order
 * and have at least one document. A corpus of a single document is cut in two at a line end or a
 * space.
 *
 * @throws DataError text_empty where there is nothing to read, text_too_short where there is
 * nothing to hold out.
 */
export function makeSplit(corpus: Corpus, { val_fraction, seed = 0 }: SplitOptions): CorpusSplit {
  const documents = unique(corpus.documents.filter((text) => text.trim() !== ''));
  const filled = corpus.documents.filter((text) => text.trim() !== '').length;
  if (documents.length === 0) {
    throw new DataError('text_empty', 'The text is empty.', 'Choose a text with some words in it.');
  }
  const parts =
    documents.length === 1
      ? cutOne(documents[0] ?? '', val_fraction)
      : drawVal(documents, val_fraction, seed);
  return {
    name: corpus.name,
    source: corpus.source,
    separator: corpus.separator,
    continuous: corpus.continuous ?? false,
    columns: corpus.columns ?? [],
    ...parts,
    duplicates_removed: filled - documents.length,
  };
}

function drawVal(
  documents: string[],
  val_fraction: number,
  seed: number,
): { train: string[]; val: string[] } {
  const total = documents.reduce((sum, text) => sum + text.length, 0);
  const order = seededRandom(seed).shuffle(documents.map((_, index) => index));
  const held = new Set<number>();
  let room = val_fraction * total;
  for (const index of order) {
    const length = documents[index]?.length ?? 0;
    if (length > room) continue;
    held.add(index);
    room -= length;
  }
  if (held.size === 0) held.add(shortest(documents));
  return {
    train: documents.filter((_, index) => !held.has(index)),
    val: documents.filter((_, index) => held.has(index)),
  };
}

function shortest(documents: string[]): number {
  return documents.reduce(
    (best, text, index) => (text.length < (documents[best]?.length ?? 0) ? index : best),
    0,
  );
}

function cutOne(text: string, val_fraction: number): { train: string[]; val: string[] } {
  const wanted = Math.floor(text.length * (1 - val_fraction));
  const line = text.lastIndexOf('\n', wanted);
  const space = text.lastIndexOf(' ', wanted);
  const at = line > wanted / 2 ? line : space > wanted / 2 ? space : safeCut(text, wanted);
  const train = text.slice(0, at);
  const val = text.slice(at);
  if (train.trim() === '' || val.trim() === '') {
    throw new DataError(
      'text_too_short',
      'The text is too short to hold out a part of it for validation.',
      'Choose a longer text.',
    );
  }
  return { train: [train], val: [val] };
}

/** Never between the two halves of a surrogate pair. */
function safeCut(text: string, at: number): number {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit < 0xe000 ? at - 1 : at;
}
