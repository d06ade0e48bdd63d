/**
 * Reads a tale back and says what does not fit: within the tale, and with how the world of the
 * tales works.
 */
import { PLOTS } from './plots.ts';
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
  NUMBERS,
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

export interface TaleReport {
  /** Sentences (or pairs that the grammar has as one), and how many of them the grammar has. */
  sentences: number;
  understood: number;
  /** Facts by slot, as first told. */
  facts: Map<string, string>;
  /** One plain sentence each. */
  contradictions: string[];
}

const names = [...GIRLS, ...BOYS];
const amounts = FOODS.flatMap((food) => NUMBERS.map((_, count) => amount(count, food)));

/** What may stand in a slot. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  hero: names,
  friend: names,
  he: ['he', 'she'],
  his: ['his', 'her'],
  him: ['him', 'her'],
  kind: ['girl', 'boy', ...ANIMALS],
  friend_kind: ANIMALS,
  trait: TRAITS,
  home: PLACES,
  place: PLACES,
  color: COLORS,
  toy: TOYS,
  spot: SPOTS,
  wrong_spot: SPOTS,
  time: TIMES,
  end: ENDS,
  activity: ACTIVITIES,
  grown_up: GROWN_UPS,
  all_food: amounts,
  given_food: amounts,
  left_food: amounts,
  weather: WEATHER.map((row) => row.weather),
  remedy: WEATHER.map((row) => row.remedy),
  good: WEATHER.map((row) => row.good),
  bad: WEATHER.map((row) => row.bad),
  rule: RULES.map((row) => row.rule),
  deed: RULES.map((row) => row.deed),
  harm: RULES.map((row) => row.harm),
  made: RECIPES.map((row) => row.made),
  first: RECIPES.map((row) => row.first),
  second: RECIPES.map((row) => row.second),
};

interface Pattern {
  expression: RegExp;
  slots: string[];
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function patternOf(sentence: string): Pattern {
  const slots: string[] = [];
  const source = sentence
    .split(/\{(\w+)\}/)
    .map((part, index) => {
      if (index % 2 === 0) return escaped(part);
      const slot = part in VALUES ? part : part.toLowerCase();
      slots.push(slot);
      // Longest first, so that "apples" is not taken for "apple".
      const values = [...(VALUES[slot] ?? [])].sort((a, b) => b.length - a.length);
      return `(${values.map((value) => escaped(part === slot ? value : capital(value))).join('|')})`;
    })
    .join('');
  return { expression: new RegExp(source, 'y'), slots };
}

let patterns: Pattern[] | undefined;

function allPatterns(): Pattern[] {
  return [...new Set(PLOTS.flatMap(({ beats }) => beats.flat()))].map(patternOf);
}

/** The longest sentence of the grammar that stands at this place. */
function longestAt(text: string, at: number): { end: number; values: [string, string][] } | null {
  let best: { end: number; values: [string, string][] } | null = null;
  for (const { expression, slots } of (patterns ??= allPatterns())) {
    expression.lastIndex = at;
    const match = expression.exec(text);
    if (match === null || (best !== null && expression.lastIndex <= best.end)) continue;
    best = {
      end: expression.lastIndex,
      values: slots.map((slot, i) => [slot, match[i + 1] ?? '']),
    };
  }
  return best;
}

/** Values that a slot is compared by: {He} is {he}. */
const plain = (slot: string, value: string) =>
  VALUES[slot]?.includes(value) ? value : value.charAt(0).toLowerCase() + value.slice(1);

export function checkTale(text: string): TaleReport {
  const report: TaleReport = { sentences: 0, understood: 0, facts: new Map(), contradictions: [] };
  for (let at = 0; at < text.length;) {
    if (/\s/.test(text.charAt(at))) {
      at++;
      continue;
    }
    report.sentences++;
    const found = longestAt(text, at);
    if (found === null) {
      const end = text.slice(at).search(/[.!?]["']?(\s|$)/);
      at = end < 0 ? text.length : at + end + 2;
      continue;
    }
    report.understood++;
    at = found.end;
    for (const [slot, value] of found.values) learn(report, slot, plain(slot, value));
  }
  for (const { says, holds } of RELATIONS)
    if (!holds(report.facts)) report.contradictions.push(says);
  return report;
}

function learn({ facts, contradictions }: TaleReport, slot: string, value: string): void {
  const known = facts.get(slot);
  if (known === undefined) facts.set(slot, value);
  else if (known !== value)
    contradictions.push(`The ${slot.replace('_', ' ')} was "${known}" and then "${value}".`);
}

interface Relation {
  says: string;
  holds: (facts: ReadonlyMap<string, string>) => boolean;
}

/** Holds where any of the slots is not told. */
const among = (says: string, rows: readonly Readonly<Record<string, string>>[]): Relation => ({
  says,
  holds: (facts) =>
    rows.some((row) =>
      Object.entries(row).every(([slot, value]) => (facts.get(slot) ?? value) === value),
    ),
});

const differ = (says: string, a: string, b: string): Relation => ({
  says,
  holds: (facts) => !facts.has(a) || facts.get(a) !== facts.get(b),
});

function parseAmount(text: string | undefined): { count: number; food: string } | null {
  const [number = '', noun = ''] = text?.split(' ') ?? [];
  const food = FOODS.find((names) => names.includes(noun))?.[0];
  return food === undefined ? null : { count: NUMBERS.indexOf(number), food };
}

const RELATIONS: readonly Relation[] = [
  {
    says: 'A pronoun does not go with the name.',
    holds: (facts) =>
      Object.entries(pronounsOf(facts.get('hero') ?? '')).every(
        ([slot, value]) => !facts.has('hero') || (facts.get(slot) ?? value) === value,
      ),
  },
  {
    says: "A girl has a boy's name, or the other way round.",
    holds: (facts) =>
      (facts.get('kind') !== 'girl' || GIRLS.includes(facts.get('hero') ?? '')) &&
      (facts.get('kind') !== 'boy' || BOYS.includes(facts.get('hero') ?? '')),
  },
  {
    says: 'The numbers do not add up.',
    holds: (facts) => {
      const [all, given, left] = ['all_food', 'given_food', 'left_food'].map((slot) =>
        parseAmount(facts.get(slot)),
      );
      const told = [all, given, left].filter((part) => part !== null && part !== undefined);
      if (told.some(({ food }) => food !== told[0]?.food)) return false;
      return (
        !all || !given || (left ? all.count - given.count === left.count : given.count <= all.count)
      );
    },
  },
  among('What was taken along does not go with the weather.', WEATHER),
  among('What happened does not follow from what was done.', RULES),
  among('That is not what the thing is made of.', RECIPES),
  differ('A friend has the same name.', 'hero', 'friend'),
  differ('It was found where it had not been.', 'spot', 'wrong_spot'),
];
