/** What the generators share: held-out combinations, and lists of distinct items of both sides. */
import { hashUnit, seededRandom, type Random } from '../random.ts';
import type { PromptExample, Sides } from '../stages/types.ts';
import type { DatasetConfig } from './types.ts';

/** Share of the combinations that training never has. */
const HELD_OUT = 0.2;
/** So many repeats in a row mean that nearly all items have been drawn. */
const MAX_REPEATS = 1000;

/** A prompt with one right answer, as the model should write it. */
export interface Item {
  example: PromptExample;
  completion: string;
}

export type Side = 'train' | 'val';

/** FNV-1a: a 32-bit unsigned integer. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * The side that a combination belongs to. Independent of the seed, so that no stage trains on what
 * another stage holds out.
 */
export function sideOf(...parts: readonly string[]): Side {
  return hashUnit(hashText(parts.join('|'))) < HELD_OUT ? 'val' : 'train';
}

/** The generator of one side; sides and purposes with the same seed have unrelated draws. */
export function randomOf(seed: number, ...purpose: readonly string[]): Random {
  return seededRandom(Math.floor(hashUnit(seed, hashText(purpose.join('|'))) * 2 ** 32));
}

/**
 * Draws until a value is accepted.
 *
 * @throws RangeError if 10,000 draws are refused.
 */
export function drawUntil<T>(draw: () => T, accept: (value: T) => boolean): T {
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const value = draw();
    if (accept(value)) return value;
  }
  throw new RangeError('Nothing that was drawn is acceptable.');
}

/** Up to `count` items with distinct keys; fewer if there are not so many. */
export function drawDistinct<T>(count: number, draw: () => T, keyOf: (item: T) => string): T[] {
  const items: T[] = [];
  const keys = new Set<string>();
  for (let repeats = 0; items.length < count && repeats < MAX_REPEATS;) {
    const item = draw();
    const key = keyOf(item);
    repeats = keys.has(key) ? repeats + 1 : 0;
    if (repeats > 0) continue;
    keys.add(key);
    items.push(item);
  }
  return items;
}

/**
 * Items of both sides. No two held-out items have the same prompt; training may have several
 * answers to one.
 */
export function drawItems(
  { seed, size, eval_size }: DatasetConfig,
  draw: (random: Random, side: Side) => Item,
): Sides<Item> {
  const train = randomOf(seed, 'train');
  const val = randomOf(seed, 'val');
  return {
    train: drawDistinct(
      size,
      () => draw(train, 'train'),
      ({ example, completion }) => `${promptText(example)}\n${completion}`,
    ),
    val: drawDistinct(
      eval_size,
      () => draw(val, 'val'),
      ({ example }) => promptText(example),
    ),
  };
}

/** The text of a prompt, without roles. */
export function promptText({ prompt }: Pick<PromptExample, 'prompt'>): string {
  return typeof prompt === 'string' ? prompt : prompt.map(({ content }) => content).join('\n');
}

/** Applies a function to both sides. */
export function mapSides<T, U>({ train, val }: Sides<T>, map: (item: T) => U): Sides<U> {
  return { train: train.map(map), val: val.map(map) };
}
