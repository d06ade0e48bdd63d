/**
 * Parses a tale and reports contradictions: within the tale, and with the facts that hold in every
 * tale.
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
  /** Number of sentences; two that the grammar has as one unit count as one. */
  sentences: number;
  /** How many of them the grammar contains. */
  understood: number;
  /** Facts by slot, as first stated. */
  facts: Map<string, string>;
  /** One sentence each. */
  contradictions: string[];
}

const names = [...GIRLS, ...BOYS];
const amounts = FOODS.flatMap((food) => NUMBERS.map((_, count) => amount(count, food)));

/** Possible values of each slot. */
export const VALUES: Readonly<Record<string, readonly string[]>> = {
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
      // Longest first, so that "apples" does not match as "apple".
      const values = [...(VALUES[slot] ?? [])].sort((a, b) => b.length - a.length);
      return `(${values.map((value) => escaped(part === slot ? value : capital(value))).join('|')})`;
    })
    .join('');
  return { expression: new RegExp(source, 'y'), slots };
}

let patterns: Pattern[] | undefined;

/** Patterns of all sentences of the grammar; built on first use. */
function allPatterns(): Pattern[] {
  return [...new Set(PLOTS.flatMap(({ beats }) => beats.flat()))].map(patternOf);
}

interface Match {
  /** Offset of the end of the sentence. */
  end: number;
  /** Slots and their values, in order. */
  values: [slot: string, value: string][];
}

/** Returns the longest sentence of the grammar at this offset, or null. */
function longestMatch(text: string, offset: number): Match | null {
  let best: Match | null = null;
  for (const { expression, slots } of (patterns ??= allPatterns())) {
    expression.lastIndex = offset;
    const match = expression.exec(text);
    if (match === null || (best !== null && expression.lastIndex <= best.end)) continue;
    best = {
      end: expression.lastIndex,
      values: slots.map((slot, i) => [slot, match[i + 1] ?? '']),
    };
  }
  return best;
}

/** The value of a slot without the capital letter at the start of a sentence. */
const uncapitalized = (slot: string, value: string) =>
  VALUES[slot]?.includes(value) ? value : value.charAt(0).toLowerCase() + value.slice(1);

/** Parses a tale; sentences outside the grammar are counted and skipped. */
export function checkTale(text: string): TaleReport {
  const report: TaleReport = { sentences: 0, understood: 0, facts: new Map(), contradictions: [] };
  for (let offset = 0; offset < text.length;) {
    if (/\s/.test(text.charAt(offset))) {
      offset++;
      continue;
    }
    report.sentences++;
    const match = longestMatch(text, offset);
    if (match === null) {
      const length = text.slice(offset).search(/[.!?]["']?(\s|$)/);
      offset = length < 0 ? text.length : offset + length + 2;
      continue;
    }
    report.understood++;
    offset = match.end;
    for (const [slot, value] of match.values) addFact(report, slot, uncapitalized(slot, value));
  }
  for (const { contradiction, holds } of RELATIONS)
    if (!holds(report.facts)) report.contradictions.push(contradiction);
  return report;
}

function addFact({ facts, contradictions }: TaleReport, slot: string, value: string): void {
  const known = facts.get(slot);
  if (known === undefined) facts.set(slot, value);
  else if (known !== value)
    contradictions.push(`The ${slot.replace('_', ' ')} was "${known}" and then "${value}".`);
}

/** A relation between facts that holds in every tale. */
interface Relation {
  /** What is wrong if it does not hold, in one sentence. */
  contradiction: string;
  holds: (facts: ReadonlyMap<string, string>) => boolean;
}

/** The slots have the values of one of the rows; slots that are not stated match any row. */
const matchesRow = (
  contradiction: string,
  rows: readonly Readonly<Record<string, string>>[],
): Relation => ({
  contradiction,
  holds: (facts) =>
    rows.some((row) =>
      Object.entries(row).every(([slot, value]) => (facts.get(slot) ?? value) === value),
    ),
});

const differ = (contradiction: string, a: string, b: string): Relation => ({
  contradiction,
  holds: (facts) => !facts.has(a) || facts.get(a) !== facts.get(b),
});

/** Reads "two apples". */
function parseAmount(text: string | undefined): { count: number; food: string } | null {
  const [number = '', noun = ''] = text?.split(' ') ?? [];
  const food = FOODS.find((names) => names.includes(noun))?.[0];
  return food === undefined ? null : { count: NUMBERS.indexOf(number), food };
}

/** What is given and what is left must add up to all, of one kind of food. */
function amountsAddUp(facts: ReadonlyMap<string, string>): boolean {
  const all = parseAmount(facts.get('all_food'));
  const given = parseAmount(facts.get('given_food'));
  const left = parseAmount(facts.get('left_food'));
  const foods = [all, given, left].filter((amount) => amount !== null).map(({ food }) => food);
  if (new Set(foods).size > 1) return false;
  if (!all || !given) return true;
  return left ? all.count - given.count === left.count : given.count <= all.count;
}

const RELATIONS: readonly Relation[] = [
  {
    contradiction: 'A pronoun does not go with the name.',
    holds: (facts) =>
      Object.entries(pronounsOf(facts.get('hero') ?? '')).every(
        ([slot, value]) => !facts.has('hero') || (facts.get(slot) ?? value) === value,
      ),
  },
  {
    contradiction: "A girl has a boy's name, or the other way round.",
    holds: (facts) =>
      (facts.get('kind') !== 'girl' || GIRLS.includes(facts.get('hero') ?? '')) &&
      (facts.get('kind') !== 'boy' || BOYS.includes(facts.get('hero') ?? '')),
  },
  {
    contradiction: 'The numbers do not add up.',
    holds: amountsAddUp,
  },
  matchesRow('What was taken along does not go with the weather.', WEATHER),
  matchesRow('What happened does not follow from what was done.', RULES),
  matchesRow('That is not what the thing is made of.', RECIPES),
  differ('A friend has the same name.', 'hero', 'friend'),
  differ('It was found where it had not been.', 'spot', 'wrong_spot'),
];
