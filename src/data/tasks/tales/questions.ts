/** Questions about short stories: who, where, what, why. */
import { VALUES } from '../../corpora/tiny_tales/check.ts';
import { drawFacts, fillSlots, type Facts } from '../../corpora/tiny_tales/generate.ts';
import type { Random } from '../../random.ts';
import type { PromptExample } from '../../stages/types.ts';
import { drawUntil, sideOf, type Item, type Side } from '../draw.ts';
import { wordsOf } from '../rewards.ts';
import { ASKED_PLOTS, type AskedPlot, type Question } from './plots.ts';

export const QUESTION_KINDS = ['who', 'where', 'what', 'why'] as const;
const CHOICES = 4;
/** Between the choices in the facts of an example; no answer contains it. */
const SEPARATOR = '|';
/** The longest right answer has six words. */
const MAX_WORDS = 8;

export type Triple = Readonly<Record<'person' | 'place' | 'object', string>>;

/** The side that a person, a place and an object belong to together. */
export const sideOfTriple = ({ person, place, object }: Triple): Side =>
  sideOf(person, place, object);

function tripleOf(facts: Facts, object: string): Triple {
  return {
    person: facts.get('hero') ?? '',
    place: facts.get('place') ?? '',
    object: facts.get(object) ?? '',
  };
}

/** Answers with the right one first; the others have another value of the slot that is asked. */
function drawChoices(random: Random, question: Question, facts: Facts): string[] {
  const answerWith = (value: string) =>
    fillSlots(question.answer, new Map(facts).set(question.slot, value));
  const choices = new Set([fillSlots(question.answer, facts)]);
  const rival = facts.get(question.rival ?? '');
  if (rival !== undefined) choices.add(answerWith(rival));
  const others = VALUES[question.slot] ?? [];
  while (choices.size < CHOICES) choices.add(answerWith(random.pick(others)));
  return [...choices];
}

/** A plot that can be asked this kind of question, and the question. */
function drawQuestion(random: Random): [AskedPlot, Question] {
  const kind = random.pick(QUESTION_KINDS);
  const plot = random.pick(ASKED_PLOTS);
  return [plot, random.pick(plot.questions.filter((question) => question.kind === kind))];
}

/** A story and a question about it whose triple belongs to this side. */
export function drawQuestionItem(random: Random, side: Side): Item {
  const [plot, question] = drawQuestion(random);
  const facts = drawUntil(
    () => drawFacts(random),
    (drawn) => sideOfTriple(tripleOf(drawn, plot.object)) === side,
  );
  const story = plot.beats.map((beat) => fillSlots(random.pick(beat), facts)).join(' ');
  const choices = drawChoices(random, question, facts);
  const answer = fillSlots(question.answer, facts);
  const example: PromptExample = {
    prompt: [{ role: 'user', content: `${story} ${fillSlots(question.ask, facts)}` }],
    kind: question.kind,
    answer,
    facts: { ...tripleOf(facts, plot.object), choices: choices.join(SEPARATOR) },
  };
  return { example, completion: answer };
}

/** The choices of a question, the right one first. */
export const choicesOf = ({ facts }: PromptExample): readonly string[] =>
  facts.choices?.split(SEPARATOR) ?? [];

/** One short sentence: a capital letter first, a period last, words between. */
export const isShortSentence = (text: string): boolean =>
  /^[A-Z][A-Za-z ]*\.$/.test(text.trim()) && wordsOf(text).length <= MAX_WORDS;
