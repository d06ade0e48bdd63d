/** Encodes examples, pairs and prompts, and fits them into the context. */
import type { PreferenceExample, PromptExample, SftExample } from '../../common/index.ts';
import { DataError } from '../errors.ts';
import type { Located } from './json_lines.ts';
import type { ChatFormat, EncodedExample, EncodedPair, EncodedPrompt, Sides } from './types.ts';

export interface Encoding {
  chat: ChatFormat;
  block_size: number;
  /** Name of the file, for messages; null if there is none. */
  name: string | null;
  /** Sentences on what was left out are added to it. */
  notes: string[];
}

/**
 * Examples that are too long are cut at their end (TRL: `truncation_mode keep_start`). One without
 * anything to learn, such as one whose prompt fills the context, is dropped.
 */
export function encodeExamples(
  sides: Sides<Located<SftExample>>,
  completion_only: boolean,
  encoding: Encoding,
): Sides<EncodedExample> {
  const { block_size, chat } = encoding;
  let cut = 0;
  let masked = 0;
  const encoded = eachSide(sides, encoding, (example): EncodedExample[] => {
    const { ids, mask } = chat.encode(example, completion_only);
    if (ids.length > block_size) cut++;
    const kept = { ids: ids.slice(0, block_size), mask: mask.slice(0, block_size) };
    // The first token has nothing before it that could predict it.
    if (!kept.mask.includes(1, 1)) masked++;
    return kept.mask.includes(1, 1) ? [kept] : [];
  });
  note(encoding, cut, `Examples longer than the context of ${block_size} tokens, cut at their end`);
  note(encoding, masked, 'Examples in which nothing is learned, left out');
  return encoded;
}

/** Pairs with an answer that does not fit the context are dropped (TRL: RewardTrainer). */
export function encodePairs(
  sides: Sides<Located<PreferenceExample>>,
  encoding: Encoding,
): Sides<EncodedPair> {
  const { block_size, chat } = encoding;
  let dropped = 0;
  const encoded = eachSide(sides, encoding, (example): EncodedPair[] => {
    const chosen = chat.encodeAnswer(example.prompt, example.chosen);
    const rejected = chat.encodeAnswer(example.prompt, example.rejected);
    if (Math.max(chosen.ids.length, rejected.ids.length) > block_size) {
      dropped++;
      return [];
    }
    return [{ chosen, rejected, margin: example.margin ?? 0, example }];
  });
  note(encoding, dropped, `Pairs longer than the context of ${block_size} tokens, left out`);
  return encoded;
}

/**
 * A prompt that leaves no room for an answer is left out where prompts are only shown.
 *
 * @param learned Whether prompts are what is learned from.
 * @throws DataError bad_example for such a prompt otherwise.
 */
export function encodePrompts(
  sides: Sides<Located<PromptExample>>,
  learned: boolean,
  encoding: Encoding,
): Sides<EncodedPrompt> {
  const { block_size, chat } = encoding;
  return eachSide(sides, encoding, (example): EncodedPrompt[] => {
    const ids = chat.encodePrompt(example.prompt);
    if (ids.length > 0 && ids.length < block_size) return [{ ids, example }];
    if (learned && ids.length > 0) throw promptTooLong(ids.length, block_size);
    return [];
  });
}

function eachSide<T, U>(
  { train, val }: Sides<Located<T>>,
  encoding: Encoding,
  encode: (value: T) => U[],
): Sides<U> {
  const encodeAll = (items: readonly Located<T>[]): U[] =>
    items.flatMap(({ value, line }) => withLine(line, encoding, () => encode(value)));
  return { train: encodeAll(train), val: encodeAll(val) };
}

/** Says in an error which line of the file it is about. */
function withLine<T>(line: number | null, { name }: Encoding, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (line === null || name === null || !(error instanceof DataError)) throw error;
    throw new DataError(error.code, `Line ${line} of "${name}": ${error.message}`, error.hint);
  }
}

function note({ notes }: Encoding, count: number, what: string): void {
  if (count > 0) notes.push(`${what}: ${count}.`);
}

const promptTooLong = (tokens: number, block_size: number): DataError =>
  new DataError(
    'bad_example',
    `A prompt of ${tokens} tokens leaves no room for an answer in a context of ${block_size}.`,
    'Shorten the prompt, or choose a model with a longer context.',
  );
