/**
 * Short stories with questions, as sentences with the slots of the tiny tales. Answers have names
 * and things inside a sentence, where their tokens are the same as in the story.
 */
import type { Beat } from '../../corpora/tiny_tales/plots.ts';

export type QuestionKind = 'who' | 'where' | 'what' | 'why';

/** A question about a story and its answer. */
export interface Question {
  kind: QuestionKind;
  ask: string;
  answer: string;
  /** The slot that the answer depends on; other values of it give wrong answers. */
  slot: string;
  /** A slot whose value is a tempting wrong answer, as the story may mention it. */
  rival?: string;
}

export interface AskedPlot {
  /** The slot of the thing that the story is about. */
  object: string;
  beats: readonly Beat[];
  questions: readonly Question[];
}

const asksHero = (ask: string): Question => ({
  kind: 'who',
  ask,
  answer: 'It was {hero}.',
  slot: 'hero',
  rival: 'friend',
});
const asksFriend = (ask: string): Question => ({
  kind: 'who',
  ask,
  answer: 'It was {friend}.',
  slot: 'friend',
  rival: 'hero',
});
const asksPlace = (ask: string, answer: string): Question => ({
  kind: 'where',
  ask,
  answer,
  slot: 'place',
  rival: 'home',
});
const asksHome = (ask: string, answer: string): Question => ({
  kind: 'where',
  ask,
  answer,
  slot: 'home',
  rival: 'place',
});
const what = (ask: string, answer: string, slot: string, rival?: string): Question => ({
  kind: 'what',
  ask,
  answer,
  slot,
  rival,
});
const why = (ask: string, answer: string, slot: string, rival?: string): Question => ({
  kind: 'why',
  ask,
  answer,
  slot,
  rival,
});

/** Every story has two people and two places, so that an answer needs more than the first match. */
export const ASKED_PLOTS: readonly AskedPlot[] = [
  {
    object: 'toy',
    beats: [
      ['One {time}, {hero} went to the {place} and lost the {color} {toy}.'],
      [
        'Then {friend} found it near the {home}.',
        '{friend} the {friend_kind} found it near the {home}.',
      ],
    ],
    questions: [
      asksHero('Who lost the {toy}?'),
      asksFriend('Who found the {toy}?'),
      asksPlace('Where did {hero} go?', 'To the {place}.'),
      asksHome('Where was the {toy}?', 'Near the {home}.'),
      what('What did {hero} lose?', 'The {color} {toy}.', 'toy'),
      what('What did {friend} find?', 'The {color} {toy}.', 'color'),
      why('Why was {hero} sad?', 'Because the {toy} was gone.', 'toy'),
    ],
  },
  {
    object: 'given_food',
    beats: [
      [
        'One {time}, {hero} took {all_food} to the {place}.',
        'One {time}, {hero} went to the {place} with {all_food}.',
      ],
      [
        'There {he} gave {given_food} to {friend}, who lived near the {home}.',
        '{hero} gave {given_food} to {friend}, who lived near the {home}.',
      ],
    ],
    questions: [
      asksHero('Who had {all_food}?'),
      asksFriend('Who ate {given_food}?'),
      asksPlace('Where did {hero} go?', 'To the {place}.'),
      asksHome('Where did {friend} live?', 'Near the {home}.'),
      what('What did {hero} have?', 'It was {all_food}.', 'all_food', 'given_food'),
      what('What did {friend} eat?', 'It was {given_food}.', 'given_food', 'all_food'),
      why('Why was {friend} happy?', 'Because {hero} gave {given_food}.', 'given_food', 'all_food'),
    ],
  },
  {
    object: 'remedy',
    beats: [
      ['One {time}, {hero} went to the {place} to {activity}.'],
      ['But {weather}, so {he} took {remedy}.', 'But {weather}, so {hero} took {remedy}.'],
      ['{friend} stayed at the {home}.', '{friend} the {friend_kind} stayed at the {home}.'],
    ],
    questions: [
      asksHero('Who took {remedy}?'),
      asksFriend('Who stayed at the {home}?'),
      asksPlace('Where did {hero} go?', 'To the {place}.'),
      asksHome('Where was {friend}?', 'At the {home}.'),
      what('What did {hero} take?', 'It was {remedy}.', 'remedy'),
      why('Why did {hero} go to the {place}?', 'To {activity}.', 'activity'),
      why('Why did {hero} take {remedy}?', 'Because {weather}.', 'weather'),
    ],
  },
  {
    object: 'made',
    beats: [
      ['One {time}, {hero} wanted to make a {made}.'],
      ['{He} got {first} at the {place}.', 'First {he} found {first} at the {place}.'],
      ['Then {friend} found {second} at the {home}.', '{friend} found {second} at the {home}.'],
    ],
    questions: [
      asksHero('Who wanted a {made}?'),
      asksFriend('Who found {second}?'),
      asksPlace('Where was {first}?', 'At the {place}.'),
      asksHome('Where was {second}?', 'At the {home}.'),
      what('What did {hero} make?', 'It was a {made}.', 'made'),
      what('What did {friend} find?', 'It was {second}.', 'second', 'first'),
      why('Why did {hero} need {first}?', 'To make a {made}.', 'made'),
    ],
  },
];
