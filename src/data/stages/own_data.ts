/** The user's own .jsonl file as the data of a stage, with a part that is held out. */
import type { PreferenceExample, PromptExample, SftExample, Turns } from '../../common/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';
import { DataError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { answerText } from './answer_text.ts';
import { preferenceExample, promptExample, sftExample } from './columns.ts';
import { type Columns, readExamples, type Located, type OwnFile } from './json_lines.ts';
import { ownRewards } from './own_rewards.ts';
import type { RawData, Needs } from './raw_data.ts';
import { NO_RAW_DATA } from './raw_data.ts';
import type { Sides } from './types.ts';
import { isVote, votedPair } from './votes.ts';

/** Share of the examples that is held out, unless `eval_size` is smaller. */
const HELD_OUT = 0.1;

interface OwnOptions {
  dataset: StageConfig['dataset'];
  /** The run that the stage starts from, whose answers may be voted on; null for any. */
  parent_run: string | null;
}

/** @throws DataError */
export function ownData(file: OwnFile, needs: Needs, { dataset, parent_run }: OwnOptions): RawData {
  switch (needs) {
    case 'examples': {
      const { sides, notes } = readSides(file, sftExample, dataset);
      const prompts = { train: [], val: sides.val.flatMap(promptOf) };
      return { ...NO_RAW_DATA, examples: sides, prompts, rewards: ownRewards(prompts), notes };
    }
    case 'pairs': {
      const read = (columns: Columns): PreferenceExample | null =>
        isVote(columns) ? votedPair(columns, parent_run) : preferenceExample(columns);
      const { sides, notes } = readSides(file, read, dataset);
      const prompts = { train: [], val: sides.val.flatMap(promptOfPair) };
      return { ...NO_RAW_DATA, pairs: sides, prompts, notes };
    }
    case 'prompts': {
      const { sides, notes } = readSides(file, promptExample, dataset);
      return { ...NO_RAW_DATA, prompts: sides, rewards: ownRewards(sides), notes };
    }
    default:
      return needs satisfies never;
  }
}

function readSides<T extends object>(
  file: OwnFile,
  read: (columns: Columns) => T | null,
  dataset: StageConfig['dataset'],
): { sides: Sides<Located<T>>; notes: string[] } {
  const { items: all, skipped } = readExamples(file, read, dataset);
  const items = all.flatMap(({ value, line }) => (value === null ? [] : [{ value, line }]));
  if (items.length === 0) throw noExamples(file.name, skipped);
  const notes: string[] = [];
  if (skipped > 0) notes.push(`Malformed lines that were skipped: ${skipped}.`);
  const unused = all.length - items.length;
  if (unused > 0)
    notes.push(`Votes for neither answer or between equal ones, left out: ${unused}.`);
  return { sides: heldOut(items, dataset), notes };
}

const noExamples = (name: string, skipped: number): DataError =>
  new DataError(
    'no_examples',
    `"${name}" has no example.`,
    skipped > 0
      ? `Malformed lines that were skipped: ${skipped}. Refuse them to be told what is wrong.`
      : 'Choose a .jsonl file with one example per line.',
  );

/** Draws what is held out. Examples with the same prompt stay together. */
function heldOut<T extends object>(
  items: readonly Located<T>[],
  { eval_size, seed }: StageConfig['dataset'],
): Sides<Located<T>> {
  const groups = new Map<string, Located<T>[]>();
  for (const item of items) {
    const key = promptKey(item.value);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  const wanted = Math.min(eval_size, Math.floor(items.length * HELD_OUT));
  const val: Located<T>[] = [];
  const train: Located<T>[] = [];
  for (const group of seededRandom(seed).shuffle([...groups.values()])) {
    const isHeldOut = val.length + group.length <= wanted;
    (isHeldOut ? val : train).push(...group);
  }
  return { train, val };
}

function promptKey(value: object): string {
  return JSON.stringify('prompt' in value ? value.prompt : value);
}

function promptOf({ value, line }: Located<SftExample>): Located<PromptExample>[] {
  if ('text' in value) return [];
  if ('prompt' in value)
    return [{ line, value: ownPrompt(value.prompt, answerText(value.completion)) }];
  const last = value.messages.findLastIndex(({ role }) => role === 'assistant');
  const prompt = value.messages.slice(0, last);
  if (prompt.length === 0) return [];
  return [{ line, value: ownPrompt(prompt, value.messages[last]?.content ?? '') }];
}

function promptOfPair({ value, line }: Located<PreferenceExample>): Located<PromptExample>[] {
  return value.prompt.length === 0 ? [] : [{ line, value: ownPrompt(value.prompt, null) }];
}

const ownPrompt = (prompt: Turns, answer: string | null): PromptExample => ({
  prompt,
  kind: 'own',
  answer,
  facts: {},
});
