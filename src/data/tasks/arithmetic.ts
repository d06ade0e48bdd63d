/**
 * Sums of two numbers with the same number of digits, as text: plain, with the digits of the answer
 * reversed, or with a scratchpad (formats of Lee et al. 2307.03381, in the characters of the corpus
 * `arithmetic`).
 */
import type { Random } from '../random.ts';
import type { PromptExample } from '../stages/types.ts';
import { drawItems, drawUntil, mapSides, randomOf, sideOf, type Item, type Side } from './draw.ts';
import { noisyPairs, requirePreference } from './pairs.ts';
import { checkedRewards, rewardNamed } from './rewards.ts';
import type { DatasetConfig, Task } from './types.ts';

type Format = DatasetConfig['format'];

const reverse = (text: string): string => [...text].reverse().join('');

/** A line `7+8+1=16` per digit, the last digit first, whose last number is the carry; then the sum. */
function scratchpad(a: number, b: number): string {
  const [first, second] = [reverse(String(a)), reverse(String(b))];
  const lines: string[] = [];
  let carry = 0;
  for (let i = 0; i < first.length; i++) {
    const sum = Number(first[i]) + Number(second[i]) + carry;
    lines.push(`${first[i] ?? ''}+${second[i] ?? ''}+${carry}=${sum}`);
    carry = sum > 9 ? 1 : 0;
  }
  return [...lines, String(a + b)].join('\n');
}

function answerOf(a: number, b: number, format: Format): string {
  switch (format) {
    case 'plain':
      return String(a + b);
    case 'reversed':
      return reverse(String(a + b));
    case 'scratchpad':
      return scratchpad(a, b);
    default:
      return format satisfies never;
  }
}

/** A sum and the one with its operands exchanged belong to the same side. */
const sideOfSum = (a: number, b: number): Side =>
  sideOf(String(Math.min(a, b)), String(Math.max(a, b)));

function drawItem(random: Random, side: Side, { format, digits }: DatasetConfig): Item {
  const low = digits === 1 ? 0 : 10 ** (digits - 1);
  const operand = () => low + random.below(10 ** digits - low);
  const [a, b] = drawUntil(
    () => [operand(), operand()] as const,
    (pair) => sideOfSum(...pair) === side,
  );
  const answer = answerOf(a, b, format);
  const example: PromptExample = {
    prompt: `${a}+${b}=`,
    kind: format,
    answer,
    facts: { sum: format === 'reversed' ? reverse(String(a + b)) : String(a + b) },
  };
  return { example, completion: answer };
}

/** The last line, which is the sum without its scratchpad. */
const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

const FORMS: Readonly<Record<string, RegExp>> = {
  plain: /^\d+$/,
  reversed: /^\d+$/,
  scratchpad: /^(\d\+\d\+[01]=\d\d?\n)+\d+$/,
};

/** The same answer with one digit of its sum changed. */
function wrongAnswer(random: Random, answer: string): string {
  const start = answer.lastIndexOf('\n') + 1;
  const at = start + random.below(answer.length - start);
  const digit = (Number(answer[at]) + 1 + random.below(9)) % 10;
  return `${answer.slice(0, at)}${digit}${answer.slice(at + 1)}`;
}

const itemsOf = (dataset: DatasetConfig) =>
  drawItems(dataset, (random, side) => drawItem(random, side, dataset));

const title = 'Arithmetic';
const preferences = ['correct'] as const;
const rewards = checkedRewards({
  correct: ({ facts }, text) => lastLine(text) === facts.sum,
  wellFormed: ({ kind }, text) => FORMS[kind]?.test(text.trim()) ?? false,
});

export const arithmeticTask: Task = {
  name: 'arithmetic',
  title,
  help: 'Adds two numbers: plainly, with the digits of the answer reversed, or with a scratchpad.',
  examples: (dataset) =>
    mapSides(itemsOf(dataset), ({ example: { prompt }, completion }) => ({ prompt, completion })),
  prompts: (dataset) => mapSides(itemsOf(dataset), ({ example }) => example),
  preferences,
  pairs: (dataset) => {
    requirePreference(title, preferences, dataset.preference);
    const random = randomOf(dataset.seed, 'pairs');
    const judged = mapSides(itemsOf(dataset), ({ example, completion }) => ({
      example,
      better: completion,
      worse: wrongAnswer(random, completion),
    }));
    return noisyPairs(judged, dataset);
  },
  rewards,
  trueReward: () => rewardNamed(rewards, 'correct'),
  choices: () => [],
};
