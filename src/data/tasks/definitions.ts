/**
 * What words mean, from the glosses of WordNet. Nobody can know a gloss without having read it, so
 * held-out prompts ask about words of the training side, each in the one wording that training does
 * not use for it.
 */
import glossesUrl from 'virtual:wordnet.txt?url';
import { fetchText, type FetchText } from '../corpora/assets.ts';
import type { Random } from '../random.ts';
import type { PromptExample, Sides } from '../stages/types.ts';
import { hashText, mapSides, randomOf, type Item } from './draw.ts';
import { answerTurns, noisyPairs, requirePreference } from './pairs.ts';
import { checkedRewards, rewardNamed } from './rewards.ts';
import type { DatasetConfig, Task } from './types.ts';

export interface Entry {
  word: string;
  gloss: string;
}

/** Wordings of a question; `{}` is the word or its gloss. */
const WORDINGS = {
  define: ['What does {} mean?', 'What is the meaning of {}?', 'Tell me what {} means.'],
  name: ['Which word means {}?', 'What is the word for {}?', 'Tell me the word for {}.'],
} as const;
const KINDS = ['define', 'name'] as const;
type Kind = (typeof KINDS)[number];
const LEARNED_WORDINGS = WORDINGS.define.length - 1;
const CHOICES = 4;
/** Between the choices in the facts of an example; no gloss contains it. */
const SEPARATOR = '|';
const MAX_WORDS = 9;

/** Reads lines of a word, a tab and its gloss; lines of the licence begin with `#`. */
export function readGlosses(text: string): Entry[] {
  const entries: Entry[] = [];
  for (const line of text.split('\n')) {
    const [word, gloss] = line.split('\t');
    if (!line.startsWith('#') && word && gloss) entries.push({ word, gloss });
  }
  return entries;
}

const answerOf = (kind: Kind, { word, gloss }: Entry): string => (kind === 'define' ? gloss : word);

function itemOf(random: Random, entries: readonly Entry[], asked: Asked): Item {
  const { entry, kind, wording } = asked;
  const answer = answerOf(kind, entry);
  const choices = new Set([answer]);
  while (choices.size < Math.min(CHOICES, entries.length))
    choices.add(answerOf(kind, random.pick(entries)));
  const content = wording.replace('{}', kind === 'define' ? entry.word : entry.gloss);
  const example: PromptExample = {
    prompt: [{ role: 'user', content }],
    kind,
    answer,
    facts: { word: entry.word, choices: [...choices].join(SEPARATOR) },
  };
  return { example, completion: answer };
}

interface Asked {
  entry: Entry;
  kind: Kind;
  wording: string;
}

/** Every question about these entries: one wording of each is held out. */
function allQuestions(entries: readonly Entry[]): { train: Asked[]; val: Asked[] } {
  const train: Asked[] = [];
  const val: Asked[] = [];
  for (const entry of entries) {
    for (const kind of KINDS) {
      const held_out = hashText(`${kind}|${entry.word}`) % WORDINGS[kind].length;
      WORDINGS[kind].forEach((wording, index) => {
        (index === held_out ? val : train).push({ entry, kind, wording });
      });
    }
  }
  return { train, val };
}

/** Uses as many of the most frequent words as it takes to ask `size` questions. */
function itemsOf(entries: readonly Entry[], dataset: DatasetConfig): Sides<Item> {
  const { seed, size, eval_size } = dataset;
  const words = entries.slice(0, Math.ceil(size / (KINDS.length * LEARNED_WORDINGS)));
  const questions = allQuestions(words);
  const side = (name: 'train' | 'val', count: number): Item[] => {
    const random = randomOf(seed, 'definitions', name);
    const chosen = random.shuffle(questions[name]).slice(0, count);
    return chosen.map((asked) => itemOf(random, words, asked));
  };
  return { train: side('train', size), val: side('val', eval_size) };
}

function isWellFormed({ kind }: PromptExample, text: string): boolean {
  const answer = text.trim();
  const words = answer.split(' ').length;
  return /^[a-z]+( [a-z]+)*$/.test(answer) && (kind === 'name' ? words === 1 : words <= MAX_WORDS);
}

const choicesOf = ({ facts }: PromptExample): readonly string[] =>
  facts.choices?.split(SEPARATOR) ?? [];

const title = 'Definitions';
const preferences = ['correct'] as const;
const rewards = checkedRewards({
  correct: ({ answer }, text) => text.trim() === answer,
  wellFormed: isWellFormed,
});

/** The task on these words. */
export function definitionsOf(entries: readonly Entry[]): Task {
  return {
    name: 'definitions',
    title,
    help: 'Says what a word means, or which word has a meaning, from the glosses of WordNet 3.1.',
    examples: (dataset) =>
      mapSides(itemsOf(entries, dataset), ({ example: { prompt }, completion }) => ({
        prompt,
        completion: answerTurns(prompt, completion),
      })),
    prompts: (dataset) => mapSides(itemsOf(entries, dataset), ({ example }) => example),
    preferences,
    pairs: (dataset) => {
      requirePreference(title, preferences, dataset.preference);
      const judged = mapSides(itemsOf(entries, dataset), ({ example, completion }) => ({
        example,
        better: completion,
        worse: choicesOf(example)[1] ?? '',
      }));
      return noisyPairs(judged, dataset);
    },
    rewards,
    trueReward: () => rewardNamed(rewards, 'correct'),
    choices: choicesOf,
  };
}

/** @throws DataError text_unreachable */
export async function loadDefinitions(load: FetchText = fetchText): Promise<Task> {
  return definitionsOf(readGlosses(await load(glossesUrl)));
}
