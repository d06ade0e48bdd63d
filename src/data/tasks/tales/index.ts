/** Tiny tales, asked: questions about short stories, and stories with constraints. */
import { seededRandom, type Random } from '../../random.ts';
import type { PreferenceName } from '../../../config/stage/index.ts';
import type { CheckedReward, PromptExample, Sides } from '../../stages/types.ts';
import { drawItems, mapSides, randomOf, type Item, type Side } from '../draw.ts';
import { answerTurns, noisyPairs, type Judged } from '../pairs.ts';
import { checkedRewards, rewardNamed } from '../rewards.ts';
import type { DatasetConfig, Task } from '../types.ts';
import { atLength, brevity, politely, politeness, rudely } from './manners.ts';
import { choicesOf, drawQuestionItem, isShortSentence } from './questions.ts';
import {
  breakWish,
  CONSTRAINTS,
  drawStoryItem,
  isStory,
  otherName,
  shareKept,
  type StoryItem,
  writeStory,
} from './stories.ts';

/** Share of stories where both questions and stories are asked for. */
const STORIES = 0.25;

function drawItem(random: Random, side: Side, { ask, broken_share }: DatasetConfig): Item {
  const story = ask === 'all' ? random.unit() < STORIES : ask === 'stories';
  if (!story) return drawQuestionItem(random, side);
  const item = drawStoryItem(random, side);
  const careless = side === 'train' && broken_share > 0 && random.unit() < broken_share;
  return careless ? { ...item, completion: brokenStory(random, item) } : item;
}

/** A story that breaks one to three of the constraints. */
function brokenStory(random: Random, { wish }: StoryItem): string {
  const count = 1 + random.below(CONSTRAINTS.length - 1);
  const broken = breakWish(random, wish, random.shuffle([...CONSTRAINTS]).slice(0, count));
  return writeStory(random, broken, otherName(random, broken.person));
}

const itemsOf = (dataset: DatasetConfig): Sides<Item> =>
  drawItems(dataset, (random, side) => drawItem(random, side, dataset));

const isCorrect = (example: PromptExample, text: string): boolean =>
  example.kind === 'story'
    ? isStory(text) && shareKept(example, text) === 1
    : text.trim() === example.answer;

/** Broken constraints of the worse story, at most: every number is as frequent. */
const MAX_BROKEN = 3;

/**
 * Two stories that differ in nothing but the constraints that the worse one breaks: friend, time and
 * wordings are the same.
 */
function judgedStory(random: Random, side: Side): Judged {
  const { example, wish } = drawStoryItem(random, side);
  const constraints = random.shuffle([...CONSTRAINTS]).slice(0, 1 + random.below(MAX_BROKEN));
  const broken = breakWish(random, wish, constraints);
  const friend = otherName(random, wish.person, broken.person);
  const wordings = random.below(2 ** 32);
  return {
    example,
    better: writeStory(seededRandom(wordings), wish, friend),
    worse: writeStory(seededRandom(wordings), broken, friend),
  };
}

/** Two answers to a question, of which this preference agrees with the first. */
function judgedAnswer(
  random: Random,
  side: Side,
  preference: Exclude<PreferenceName, 'constraint'>,
): Judged {
  const { example, completion } = drawQuestionItem(random, side);
  switch (preference) {
    case 'correct':
      return { example, better: completion, worse: choicesOf(example)[1] ?? '' };
    case 'polite':
      return { example, better: politely(random, completion), worse: rudely(random, completion) };
    case 'short':
      return { example, better: completion, worse: atLength(random, completion) };
    default:
      return preference satisfies never;
  }
}

function drawJudged({ seed, size, eval_size, preference }: DatasetConfig): Sides<Judged> {
  const draw = (side: Side, count: number): Judged[] => {
    const random = randomOf(seed, 'pairs', side);
    return Array.from({ length: count }, () =>
      preference === 'constraint'
        ? judgedStory(random, side)
        : judgedAnswer(random, side, preference),
    );
  };
  return { train: draw('train', size), val: draw('val', eval_size) };
}

const rewards = checkedRewards({
  correct: isCorrect,
  wellFormed: ({ kind }, text) => (kind === 'story' ? isStory(text) : isShortSentence(text)),
});

const TRUE_REWARDS: Readonly<Record<PreferenceName, CheckedReward>> = {
  constraint: {
    name: 'constraint',
    help: 'Share of person, object, place and ending that a well-formed story keeps; else 0.',
    score: (example, { text }) => (isStory(text) ? shareKept(example, text) : 0),
  },
  correct: rewardNamed(rewards, 'correct'),
  polite: {
    name: 'polite',
    help: '1 for an answer with polite words, -1 with rude ones, 0 with both or neither.',
    score: (_, { text }) => politeness(text),
  },
  short: {
    name: 'short',
    help: 'The fewer words the higher, from 1 down to 0; 0 without any.',
    score: (_, { text }) => brevity(text),
  },
};

export const talesTask: Task = {
  name: 'tales',
  title: 'Tiny tales, asked',
  help: 'Answers questions about short stories, and tells stories with a given person, object, place and ending.',
  examples: (dataset) =>
    mapSides(itemsOf(dataset), ({ example: { prompt }, completion }) => ({
      prompt,
      completion: answerTurns(prompt, completion),
    })),
  prompts: (dataset) => mapSides(itemsOf(dataset), ({ example }) => example),
  preferences: ['constraint', 'correct', 'polite', 'short'],
  pairs: (dataset) => noisyPairs(drawJudged(dataset), dataset),
  rewards,
  trueReward: (preference) => TRUE_REWARDS[preference],
  choices: choicesOf,
};
