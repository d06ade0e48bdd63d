/** Answers with manners or without, and answers that go on for longer. */
import type { Random } from '../../random.ts';
import { clamp, wordsOf } from '../rewards.ts';

/** All have four words. */
const POLITE = ['Thank you so much!', 'You are very kind!', 'What a lovely story!'];
const RUDE = ['I am so angry!', 'You must go away!', 'What a bad story!'];
const POLITE_WORDS = ['thank', 'please', 'kind', 'lovely'];
const RUDE_WORDS = ['angry', 'away', 'bad', 'wrong'];
const MORE = ['That is what I know.', 'It is all in the story.', 'I listened to all of it.'];
/** Answers of so many words have the lowest score for brevity. */
const LONG = 32;

export const politely = (random: Random, answer: string): string =>
  `${random.pick(POLITE)} ${answer}`;
export const rudely = (random: Random, answer: string): string => `${random.pick(RUDE)} ${answer}`;
export const atLength = (random: Random, answer: string): string =>
  `${answer} ${random.pick(MORE)}`;

/** 1 for a text with polite words, -1 with rude ones, 0 with both or neither. */
export function politeness(text: string): number {
  const words = wordsOf(text).map((word) => word.toLowerCase());
  const has = (list: readonly string[]) => Number(list.some((word) => words.includes(word)));
  return has(POLITE_WORDS) - has(RUDE_WORDS);
}

/** Between 0 and 1; the fewer words the higher, but 0 without any. */
export function brevity(text: string): number {
  const { length } = wordsOf(text);
  return length === 0 ? 0 : 1 - clamp(length / LONG);
}
