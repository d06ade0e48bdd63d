/** Writes tales: draws the facts, then a wording for every beat of a plot. */
import { seededRandom, type Random } from '../../random.ts';
import type { Corpus } from '../../types.ts';
import { PLOTS, type Plot } from './plots.ts';
import {
  ACTIVITIES,
  amount,
  ANIMALS,
  BOYS,
  COLORS,
  ENDS,
  FOODS,
  GIRLS,
  GROWN_UPS,
  PLACES,
  pronounsOf,
  RECIPES,
  RULES,
  SPOTS,
  TIMES,
  TOYS,
  TRAITS,
  WEATHER,
} from './words.ts';

const TALES = 30_000;

/** Values of the slots, by name. */
export type Facts = ReadonlyMap<string, string>;

function pickOther<T>(random: Random, items: readonly T[], excluded: T): T {
  return random.pick(items.filter((item) => item !== excluded));
}

/**
 * Draws a value for every slot, whether the plot uses it or not. Values that must agree are drawn
 * together.
 */
export function drawFacts(random: Random): Facts {
  const names = [...GIRLS, ...BOYS];
  const hero = random.pick(names);
  const place = random.pick(PLACES);
  const spot = random.pick(SPOTS);
  const food = random.pick(FOODS);
  const all = 2 + random.below(9);
  const given = 1 + random.below(all - 1);
  const child = GIRLS.includes(hero) ? 'girl' : 'boy';
  return new Map(
    Object.entries({
      hero,
      ...pronounsOf(hero),
      place,
      spot,
      trait: random.pick(TRAITS),
      kind: random.unit() < 0.5 ? child : random.pick(ANIMALS),
      home: pickOther(random, PLACES, place),
      friend: pickOther(random, names, hero),
      friend_kind: random.pick(ANIMALS),
      color: random.pick(COLORS),
      toy: random.pick(TOYS),
      wrong_spot: pickOther(random, SPOTS, spot),
      time: random.pick(TIMES),
      end: random.pick(ENDS),
      activity: random.pick(ACTIVITIES),
      grown_up: random.pick(GROWN_UPS),
      all_food: amount(all, food),
      given_food: amount(given, food),
      left_food: amount(all - given, food),
      ...random.pick(WEATHER),
      ...random.pick(RULES),
      ...random.pick(RECIPES),
    }),
  );
}

/**
 * Fills the slots of a sentence.
 *
 * @throws RangeError for a slot without a value.
 */
export function fillSlots(sentence: string, facts: Facts): string {
  return sentence.replace(/\{(\w+)\}/g, (_, slot: string) => {
    const value = facts.get(slot) ?? facts.get(slot.toLowerCase());
    if (value === undefined) throw new RangeError(`The slot {${slot}} has no value.`);
    return facts.has(slot) ? value : value.charAt(0).toUpperCase() + value.slice(1);
  });
}

function writeTale(random: Random, plot: Plot): string {
  const facts = drawFacts(random);
  return plot.beats.map((beat) => fillSlots(random.pick(beat), facts)).join(' ');
}

/** Returns TALES distinct tales of one line each, in a seeded order. */
export function tinyTales(seed: number): Corpus {
  const random = seededRandom(seed);
  const tales = new Set<string>();
  while (tales.size < TALES) tales.add(writeTale(random, random.pick(PLOTS)));
  return {
    name: 'tiny_tales',
    documents: [...tales],
    separator: '\n',
    source: 'Short tales generated here from a seed by a grammar of eight plots',
  };
}
