/**
 * Sums such as `12+7=19`, one per line: addition, subtraction, multiplication, and division without
 * remainder.
 */
import { seededRandom } from '../random.ts';
import type { Corpus } from '../types.ts';

/** Of about 40,000 possible sums, so that a model can be tested on sums that it never saw. */
const LINES = 24_000;
/** Operands are below this. */
const LIMIT = 100;

type Operator = '+' | '-' | '*' | '/';

function compute(a: number, operator: Operator, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      return operator satisfies never;
  }
}

const line = (a: number, operator: Operator, b: number) =>
  `${a}${operator}${b}=${compute(a, operator, b)}`;

/** All operations on two numbers below LIMIT; divisions have divisor and quotient below it. */
function everyLine(): string[] {
  const lines: string[] = [];
  for (let a = 0; a < LIMIT; a++) {
    for (let b = 0; b < LIMIT; b++) {
      lines.push(line(a, '+', b), line(a, '-', b), line(a, '*', b));
      if (b > 0) lines.push(line(a * b, '/', b));
    }
  }
  return lines;
}

/** Returns LINES distinct sums in a seeded order. */
export function arithmetic(seed: number): Corpus {
  return {
    name: 'arithmetic',
    documents: seededRandom(seed).shuffle(everyLine()).slice(0, LINES),
    separator: '\n',
    source: 'Sums generated here from a seed',
  };
}

/** Whether a line is a correct sum; null if it is not a sum. */
export function checkArithmetic(text: string): boolean | null {
  const match = /^(\d{1,9})([-+*/])(\d{1,9})=(-?\d{1,18})$/.exec(text.trim());
  const [, a, operator, b, result] = match ?? [];
  if (operator !== '+' && operator !== '-' && operator !== '*' && operator !== '/') return null;
  return compute(Number(a), operator, Number(b)) === Number(result);
}
