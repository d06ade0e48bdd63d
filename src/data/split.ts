/** Splits a corpus into training and validation text, by document. */
import type { SplitVersion } from '../common/index.ts';
import { DataError, withRepeats } from './errors.ts';
import { seededRandom } from './random.ts';
import type { Corpus, CorpusSplit } from './types.ts';

export interface SplitOptions {
  /** Fraction of the characters held out for validation. */
  val_fraction: number;
  /** The same for every run by default, so that validation losses of runs can be compared. */
  seed?: number;
  /** Default: SPLIT_VERSION. A resumed run keeps the version that it was trained with. */
  version?: SplitVersion | undefined;
  /** Keep documents that repeat another one, also across the two sides. */
  keep_repeats?: boolean | undefined;
}

/** The version of new runs. */
export const SPLIT_VERSION: SplitVersion = 2;

/** A document of fewer characters is held out whole rather than cut. */
const MIN_CUT = 2000;

/** Separates the order of training documents from other uses of the seed. */
const TRAIN_ORDER = 0x7472_6169;
/** The same for validation documents. */
const VAL_ORDER = 0x7661_6c69;

type Sides = Pick<CorpusSplit, 'train' | 'val'>;

/**
 * Splits a corpus. Empty documents and, by default, duplicates are removed first, so that no
 * validation document is in the training text too. Documents are then assigned to validation in a seeded order until it
 * has `val_fraction` of the characters, skipping documents that would exceed it. Both sides have at
 * least one document. One document, or a few that are too long to hold one out, are cut in two, at a
 * line end or a space if possible.
 *
 * Independent documents are shuffled within their side: a list of names in alphabetical order would
 * otherwise give crops of neighbours, which share their first letters and flatter the loss. Blocks
 * of a running text and chapters of a book keep their order.
 *
 * @throws DataError text_empty if there is no text, text_too_short if nothing can be held out.
 */
export function makeSplit(corpus: Corpus, options: SplitOptions): CorpusSplit {
  const { val_fraction, seed = 0, version = SPLIT_VERSION, keep_repeats = false } = options;
  const filled = corpus.documents.filter((text) => text.trim() !== '');
  const documents = keep_repeats ? filled : [...new Set(filled)];
  const duplicates_removed = filled.length - documents.length;
  const [first] = documents;
  if (first === undefined) {
    throw new DataError('text_empty', 'The text is empty.', 'Choose a text with some words in it.');
  }
  const cutsEach = version > 1 && tooLongToHoldOut(documents, val_fraction);
  const sides =
    documents.length === 1 || cutsEach
      ? cutDocuments(documents, val_fraction, duplicates_removed)
      : drawDocuments(documents, val_fraction, seed);
  const inOrder = version === 1 || corpus.continuous === true || corpus.sequential === true;
  const { train, val } = inOrder ? sides : shuffledSides(sides, seed);
  return {
    name: corpus.name,
    source: corpus.source,
    separator: corpus.separator,
    continuous: corpus.continuous ?? false,
    table: corpus.table ?? null,
    notes: corpus.notes ?? [],
    train,
    val,
    duplicates_removed,
  };
}

function drawDocuments(documents: readonly string[], val_fraction: number, seed: number): Sides {
  const total = documents.reduce((sum, text) => sum + text.length, 0);
  const order = seededRandom(seed).shuffle(documents.map((_, index) => index));
  const held = new Set<number>();
  let room = val_fraction * total;
  for (const index of order) {
    const length = documents[index]!.length;
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

const shuffledSides = ({ train, val }: Sides, seed: number): Sides => ({
  train: seededRandom(seed ^ TRAIN_ORDER).shuffle(train),
  val: seededRandom(seed ^ VAL_ORDER).shuffle(val),
});

/** Index of the first of the shortest documents. */
const shortest = (documents: readonly string[]): number =>
  documents.reduce((best, text, i) => (text.length < documents[best]!.length ? i : best), 0);

/** A few long documents, such as two novels: holding one out would take much of the text. */
const tooLongToHoldOut = (documents: readonly string[], val_fraction: number): boolean => {
  const total = documents.reduce((sum, text) => sum + text.length, 0);
  return documents.every(({ length }) => length >= MIN_CUT && length > val_fraction * total);
};

function cutDocuments(documents: readonly string[], val_fraction: number, repeats: number): Sides {
  const cuts = documents.map((text) => cutDocument(text, val_fraction));
  const sides = {
    train: cuts.map(({ train }) => train),
    val: cuts.map(({ val }) => val),
  };
  if ([...sides.train, ...sides.val].every((text) => text.trim() !== '')) return sides;
  const tooShort = new DataError(
    'text_too_short',
    'The text is too short to hold out a part of it for validation.',
    'Choose a longer text.',
  );
  throw withRepeats(tooShort, repeats);
}

function cutDocument(text: string, val_fraction: number): { train: string; val: string } {
  const cut = cutPosition(text, Math.floor(text.length * (1 - val_fraction)));
  return { train: text.slice(0, cut), val: text.slice(cut) };
}

/** The last line end before `wanted`, else the last space; unless it is in the first half. */
function cutPosition(text: string, wanted: number): number {
  const line = text.lastIndexOf('\n', wanted);
  if (line > wanted / 2) return line;
  const space = text.lastIndexOf(' ', wanted);
  if (space > wanted / 2) return space;
  return isLowSurrogate(text.charCodeAt(wanted)) ? wanted - 1 : wanted;
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;
