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

const LIVED: Beat = ['{hero} lived near the {home}.', '{hero} was a {trait} {kind}.'];

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

export const ASKED_PLOTS: readonly AskedPlot[] = [
  {
    object: 'toy',
    beats: [
      LIVED,
      [
        'One {time}, {hero} went to the {place} and lost the {color} {toy}.',
        'One {time}, {he} went to the {place} and lost the {color} {toy}.',
      ],
      [
        'Then {friend} found the {color} {toy} {spot}.',
        '{friend} the {friend_kind} found it {spot}.',
      ],
    ],
    questions: [
      asksHero('Who lost the {toy}?'),
      asksFriend('Who found the {toy}?'),
      asksPlace('Where did {hero} go?', 'To the {place}.'),
      { kind: 'where', ask: 'Where was the {toy}?', answer: 'It was {spot}.', slot: 'spot' },
      what('What did {hero} lose?', 'The {color} {toy}.', 'toy'),
      what('What did {friend} find?', 'The {color} {toy}.', 'color'),
      why('Why was {hero} sad?', 'Because the {toy} was gone.', 'toy'),
    ],
  },
  {
    object: 'given_food',
    beats: [
      LIVED,
      [
        'One {time}, {hero} took {all_food} to the {place}.',
        'One {time}, {he} went to the {place} with {all_food}.',
      ],
      [
        'There {he} gave {given_food} to {friend} the {friend_kind}.',
        '{friend} the {friend_kind} was hungry, so {he} gave {given_food} to {friend}.',
      ],
    ],
    questions: [
      asksHero('Who had {all_food}?'),
      asksFriend('Who ate {given_food}?'),
      asksPlace('Where did {hero} go?', 'To the {place}.'),
      what('What did {hero} have?', 'It was {all_food}.', 'all_food', 'given_food'),
      what('What did {hero} give to {friend}?', 'It was {given_food}.', 'given_food', 'all_food'),
      why('Why was {friend} happy?', 'Because {hero} gave {given_food}.', 'given_food', 'all_food'),
    ],
  },
  {
    object: 'remedy',
    beats: [
      [
        'One {time}, {hero} wanted to {activity} at the {place}.',
        'One {time}, {hero} set out for the {place} to {activity}.',
      ],
      ['But {weather}.', 'That {time}, {weather}.'],
      [
        'So {hero} took {remedy}, but {friend} did not.',
        '{hero} took {remedy}, but {friend} did not listen.',
      ],
    ],
    questions: [
      asksHero('Who took {remedy}?'),
      asksFriend('Who did not take {remedy}?'),
      asksPlace('Where did {hero} go?', 'To the {place}.'),
      what('What did {hero} take?', 'It was {remedy}.', 'remedy'),
      what('What did {hero} want?', 'To {activity}.', 'activity'),
      why('Why did {hero} take {remedy}?', 'Because {weather}.', 'weather'),
    ],
  },
  {
    object: 'made',
    beats: [
      [
        'One {time}, {hero} wanted to make a {made} for {his} {grown_up}.',
        '{hero} wanted to make a {made} for {his} {grown_up}.',
      ],
      ['{He} found {first} at the {place}.', '{hero} got {first} at the {place}.'],
      ['{friend} the {friend_kind} gave {him} {second}.', 'Then {friend} gave {hero} {second}.'],
    ],
    questions: [
      asksHero('Who made a {made}?'),
      asksFriend('Who gave {second}?'),
      asksPlace('Where was {first}?', 'At the {place}.'),
      what('What did {hero} make?', 'It was a {made}.', 'made'),
      what('What did {friend} give?', 'It was {second}.', 'second', 'first'),
      why('Why did {hero} need {first}?', 'To make a {made}.', 'made'),
    ],
  },
];
