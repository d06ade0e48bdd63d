/** Writes tales: draws the facts, then words for every beat of a plot. */
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

function other<T>(random: Random, items: readonly T[], not: T): T {
  return random.pick(items.filter((item) => item !== not));
}

/**
 * One value for every slot, whether the plot asks for it or not: what fits together is drawn
 * together.
 */
function drawFacts(random: Random): Facts {
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
      home: other(random, PLACES, place),
      friend: other(random, names, hero),
      friend_kind: random.pick(ANIMALS),
      color: random.pick(COLORS),
      toy: random.pick(TOYS),
      wrong_spot: other(random, SPOTS, spot),
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

/** Puts the facts into a sentence. */
function tell(sentence: string, facts: Facts): string {
  return sentence.replace(/\{(\w+)\}/g, (_, slot: string) => {
    const value = facts.get(slot) ?? facts.get(slot.toLowerCase());
    if (value === undefined) throw new RangeError(`no value for {${slot}}`);
    return facts.has(slot) ? value : value.charAt(0).toUpperCase() + value.slice(1);
  });
}

function writeTale(random: Random, plot: Plot): string {
  const facts = drawFacts(random);
  return plot.beats.map((beat) => tell(random.pick(beat), facts)).join(' ');
}

/** TALES distinct tales, one a line, in a seeded order. */
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
