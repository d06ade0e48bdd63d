/**
 * Short random words spelled letter by letter, to reverse, to sort, or to count a letter of. Letters
 * stand apart, so that each is a token with any tokenizer.
 */
import { NUMBERS } from '../corpora/tiny_tales/words.ts';
import type { Random } from '../random.ts';
import type { PromptExample } from '../stages/types.ts';
import { drawItems, drawUntil, mapSides, randomOf, sideOf, type Item, type Side } from './draw.ts';
import { answerTurns, noisyPairs, requirePreference } from './pairs.ts';
import { checkedRewards, rewardNamed } from './rewards.ts';
import type { DatasetConfig, Task } from './types.ts';

const KINDS = ['reverse', 'sort', 'count'] as const;
type Kind = (typeof KINDS)[number];

/** Frequent letters, all of which the tiny tales have. */
const LETTERS = [...'abcdefghiklmnoprstuw'];
const MIN_LETTERS = 3;
const MAX_LETTERS = 5;
/** Counts from one to this are equally frequent. */
const MAX_COUNT = 4;

const COUNTS = NUMBERS.slice(1, MAX_COUNT + 1);
const spelled = (letters: readonly string[]): string => letters.join(' ');
const drawLetters = (random: Random, count: number): string[] =>
  Array.from({ length: count }, () => random.pick(LETTERS));

/** What is asked of a word, and the right answer. */
interface Exercise {
  letters: readonly string[];
  ask: string;
  answer: string;
}

/** Draws how often the letter occurs first, so that every count is as frequent. */
function drawCount(random: Random): Exercise {
  const letter = random.pick(LETTERS);
  const count = 1 + random.below(MAX_COUNT);
  const others = LETTERS.filter((other) => other !== letter);
  const length = MAX_COUNT + 1 + random.below(2);
  const letters = random.shuffle(
    Array.from({ length }, (_, index) => (index < count ? letter : random.pick(others))),
  );
  const answer = NUMBERS[count] ?? '';
  return { letters, ask: `Count ${letter} in ${spelled(letters)}`, answer };
}

function drawExercise(random: Random, kind: Kind): Exercise {
  if (kind === 'count') return drawCount(random);
  const letters = drawLetters(random, MIN_LETTERS + random.below(MAX_LETTERS - MIN_LETTERS + 1));
  if (kind === 'sort')
    return { letters, ask: `Sort ${spelled(letters)}`, answer: spelled(letters.toSorted()) };
  return { letters, ask: `Reverse ${spelled(letters)}`, answer: spelled(letters.toReversed()) };
}

/** An exercise whose word belongs to this side. */
function drawItem(random: Random, side: Side): Item {
  const kind = random.pick(KINDS);
  const { letters, ask, answer } = drawUntil(
    () => drawExercise(random, kind),
    (exercise) => sideOf(...exercise.letters) === side,
  );
  const example: PromptExample = {
    prompt: [{ role: 'user', content: ask }],
    kind,
    answer,
    facts: { word: letters.join('') },
  };
  return { example, completion: answer };
}

const FORMS: Readonly<Record<string, RegExp>> = {
  reverse: /^[a-z]( [a-z])*$/,
  sort: /^[a-z]( [a-z])*$/,
  count: new RegExp(`^(${COUNTS.join('|')})$`),
};

/** Another count, or the answer with one letter changed. */
function wrongAnswer(random: Random, { kind, answer }: PromptExample): string {
  const right = answer ?? '';
  if (kind === 'count') return random.pick(COUNTS.filter((count) => count !== right));
  const letters = right.split(' ');
  const at = random.below(letters.length);
  const other = random.pick(LETTERS.filter((letter) => letter !== letters[at]));
  return spelled(letters.with(at, other));
}

const itemsOf = (dataset: DatasetConfig) => drawItems(dataset, drawItem);

const title = 'Strings';
const preferences = ['correct'] as const;
const rewards = checkedRewards({
  correct: ({ answer }, text) => text.trim() === answer,
  wellFormed: ({ kind }, text) => FORMS[kind]?.test(text.trim()) ?? false,
});

export const stringsTask: Task = {
  name: 'strings',
  title,
  help: 'Reverses, sorts and counts the letters of short words.',
  examples: (dataset) =>
    mapSides(itemsOf(dataset), ({ example: { prompt }, completion }) => ({
      prompt,
      completion: answerTurns(prompt, completion),
    })),
  prompts: (dataset) => mapSides(itemsOf(dataset), ({ example }) => example),
  preferences,
  pairs: (dataset) => {
    requirePreference(title, preferences, dataset.preference);
    const random = randomOf(dataset.seed, 'pairs');
    const judged = mapSides(itemsOf(dataset), ({ example, completion }) => ({
      example,
      better: completion,
      worse: wrongAnswer(random, example),
    }));
    return noisyPairs(judged, dataset);
  },
  rewards,
  trueReward: () => rewardNamed(rewards, 'correct'),
  choices: ({ kind, answer }) =>
    kind === 'count' ? [answer ?? '', ...COUNTS.filter((count) => count !== answer)] : [],
};
