/**
 * Stories with constraints: a person, an object, a place and an ending. The wordings of a sentence
 * have equally many words, so that stories that keep and stories that break a constraint do, too.
 */
import {
  ANIMALS,
  BOYS,
  GIRLS,
  PLACES,
  pronounsOf,
  TIMES,
  TOYS,
} from '../../corpora/tiny_tales/words.ts';
import { fillSlots } from '../../corpora/tiny_tales/generate.ts';
import type { Beat } from '../../corpora/tiny_tales/plots.ts';
import type { Random } from '../../random.ts';
import type { PromptExample } from '../../stages/types.ts';
import { drawUntil, type Item, type Side } from '../draw.ts';
import { clamp, wordsOf } from '../rewards.ts';
import { sideOfTriple, type Triple } from './questions.ts';

const NAMES: readonly string[] = [...GIRLS, ...BOYS];
export const ENDINGS = ['happily', 'sadly', 'at home'] as const;
export type Ending = (typeof ENDINGS)[number];
export const CONSTRAINTS = ['person', 'object', 'place', 'ending'] as const;
export type Constraint = (typeof CONSTRAINTS)[number];

/** What a story must have. */
export interface Wish extends Triple {
  ending: Ending;
}

const BEGIN: Beat = [
  'One {time}, {hero} took a {toy} to the {place}.',
  'One {time}, {hero} took {his} {toy} to the {place}.',
  'One {time}, {hero} had a {toy} at the {place}.',
];
const MIDDLE: Beat = [
  'There {he} met {friend} the {friend_kind}.',
  'Soon {friend} the {friend_kind} came by.',
  '{friend} the {friend_kind} was there too.',
];
const LAST: Readonly<Record<Ending, Beat>> = {
  happily: ['{hero} was very happy.', 'Then {hero} was happy.', '{hero} and {friend} laughed.'],
  sadly: ['{hero} was very sad.', 'Then {hero} was sad.', '{hero} sat and cried.'],
  'at home': ['They walked home together.', 'Then {hero} ran home.', 'So {he} walked home.'],
};
/** Words of the last sentence that tell how a story ends. */
const MARKS: Readonly<Record<Ending, readonly string[]>> = {
  happily: ['happy', 'laughed', 'smiled', 'friends', 'good', 'better'],
  sadly: ['sad', 'cried', 'sorry', 'alone', 'gone', 'lost'],
  'at home': ['home'],
};
const MAX_SENTENCES = 5;

/** A story as the generator writes it; wordings, friend and time are drawn. */
export function writeStory(random: Random, wish: Wish, friend: string): string {
  const facts = new Map(
    Object.entries({
      hero: wish.person,
      ...pronounsOf(wish.person),
      toy: wish.object,
      place: wish.place,
      friend,
      friend_kind: random.pick(ANIMALS),
      time: random.pick(TIMES),
    }),
  );
  return [BEGIN, MIDDLE, LAST[wish.ending]]
    .map((beat) => fillSlots(random.pick(beat), facts))
    .join(' ');
}

const drawWish = (random: Random): Wish => ({
  person: random.pick(NAMES),
  object: random.pick(TOYS),
  place: random.pick(PLACES),
  ending: random.pick(ENDINGS),
});

/** A name that is none of these. */
export const otherName = (random: Random, ...names: readonly string[]): string =>
  random.pick(NAMES.filter((name) => !names.includes(name)));

export interface StoryItem extends Item {
  wish: Wish;
}

/** A prompt for a story whose triple belongs to this side, and a story that it may have. */
export function drawStoryItem(random: Random, side: Side): StoryItem {
  const wish = drawUntil(
    () => drawWish(random),
    (drawn) => sideOfTriple(drawn) === side,
  );
  const { person, object, place, ending } = wish;
  const content = `Tell a story with ${person} and a ${object}, at the ${place}, that ends ${ending}.`;
  const example: PromptExample = {
    prompt: [{ role: 'user', content }],
    kind: 'story',
    answer: null,
    facts: { person, object, place, ending },
  };
  return { example, wish, completion: writeStory(random, wish, otherName(random, person)) };
}

/** The same wish with other values of these constraints. */
export function breakWish(random: Random, wish: Wish, constraints: readonly Constraint[]): Wish {
  const other = drawUntil(
    () => drawWish(random),
    (drawn) => constraints.every((constraint) => drawn[constraint] !== wish[constraint]),
  );
  const changes = constraints.map((constraint) => [constraint, other[constraint]] as const);
  return { ...wish, ...Object.fromEntries(changes) };
}

/** Sentences, each with its mark at the end; what follows the last mark is one, too. */
const sentencesOf = (text: string): string[] => text.match(/[^.!?]+[.!?]*/g) ?? [];

function endsWell(ending: string, words: readonly string[]): boolean {
  return ENDINGS.every(
    (other) => MARKS[other].some((mark) => words.includes(mark)) === (other === ending),
  );
}

/**
 * Which constraints a text keeps: the first name is the person, the only toy the object, the only
 * place the place, and the last sentence has words of the wanted ending and of no other.
 */
export function keptConstraints(
  { facts }: Pick<PromptExample, 'facts'>,
  text: string,
): Readonly<Record<Constraint, boolean>> {
  const words = wordsOf(text);
  const only = (values: readonly string[], wanted: string | undefined) => {
    const found = words.filter((word) => values.includes(word));
    return found.length > 0 && found.every((word) => word === wanted);
  };
  return {
    person: words.find((word) => NAMES.includes(word)) === facts.person,
    object: only(TOYS, facts.object),
    place: only(PLACES, facts.place),
    ending: endsWell(facts.ending ?? '', wordsOf(sentencesOf(text.trim()).at(-1) ?? '')),
  };
}

/** Share of the constraints that a text keeps. */
export function shareKept(example: Pick<PromptExample, 'facts'>, text: string): number {
  const kept = Object.values(keptConstraints(example, text));
  return clamp(kept.filter(Boolean).length / kept.length);
}

/** Two to five sentences, each with a capital letter first and a mark last. */
export function isStory(text: string): boolean {
  const sentences = sentencesOf(text.trim()).map((sentence) => sentence.trim());
  return (
    sentences.length >= 2 &&
    sentences.length <= MAX_SENTENCES &&
    sentences.every((sentence) => /^"?[A-Z][A-Za-z ,"]*[.!?]$/.test(sentence))
  );
}
