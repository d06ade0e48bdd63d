/**
 * The plots, as sentences with slots. A slot has the same value throughout a tale ({He} is {he} with
 * a capital letter), which makes the facts of a tale checkable.
 */

/** One step of a plot: alternative wordings of a sentence. */
export type Beat = readonly string[];
export interface Plot {
  name: string;
  beats: readonly Beat[];
}

const OPENING: Beat = [
  'Once upon a time there was a {trait} {kind} named {hero}.',
  'There once was a {trait} {kind} called {hero}.',
  '{hero} was a {trait} {kind}.',
  'In a house near the {home} lived a {trait} {kind} named {hero}.',
  'This is the story of {hero}, a {trait} {kind} who lived near the {home}.',
];
const MEET: Beat = [
  'There {he} met {friend} the {friend_kind}.',
  '{friend} the {friend_kind} was there too.',
  'Soon {friend} the {friend_kind} came by.',
];
const GOAL: Beat = [
  'One {time}, {hero} wanted to {activity} at the {place}.',
  'One {time}, {he} set out for the {place} to {activity}.',
];
const FRIENDS: Beat = [
  'From that day on, {hero} and {friend} were friends.',
  'After that, {hero} and {friend} often played at the {place}.',
  '{hero} and {friend} walked home together.',
];
const WARNED: Beat = [
  '"Please do not {rule}," said {his} {grown_up}.',
  '{His} {grown_up} told {him}, "You must not {rule}."',
];

export const PLOTS: readonly Plot[] = [
  {
    name: 'lost and found',
    beats: [
      OPENING,
      [
        '{He} had a {color} {toy} and took it everywhere.',
        '{His} favorite thing was a {color} {toy}.',
        'For {his} birthday {he} got a {color} {toy}.',
      ],
      [
        'One {time}, {hero} went to the {place} and lost the {color} {toy}.',
        'One {time}, at the {place}, the {color} {toy} was gone.',
      ],
      ['{hero} was very sad.', '{hero} sat down and cried.', '{He} did not know what to do.'],
      MEET,
      ['"What is wrong?" asked {friend}.', '"Why are you sad?" asked {friend}.'],
      ['"I lost my {color} {toy}," said {hero}.', '"My {color} {toy} is gone," said {hero}.'],
      [
        'They looked {wrong_spot}, but it was not there.',
        'First they looked {wrong_spot} and found nothing.',
      ],
      [
        'Then they looked {spot}, and there was the {color} {toy}!',
        'Then {friend} found the {color} {toy} {spot}.',
      ],
      [
        '"It was {spot} all the time!" said {hero}.',
        '{hero} was happy to have the {color} {toy} back.',
        '"Thank you, {friend}!" said {hero}.',
      ],
      FRIENDS,
    ],
  },
  {
    name: 'sharing',
    beats: [
      OPENING,
      [
        'One {time}, {he} took {all_food} to the {place}.',
        'One {time}, {hero} went to the {place} with {all_food}.',
      ],
      MEET,
      ['{friend} was hungry and had nothing to eat.', '"I am so hungry," said {friend}.'],
      ['{hero} gave {given_food} to {friend}.', '"You can have {given_food}," said {hero}.'],
      ['Now {hero} had {left_food} left.', 'So {hero} kept {left_food}.'],
      ['{friend} ate {given_food} and felt much better.', '{friend} smiled and ate {given_food}.'],
      ['It felt good to share.', '"Thank you, {hero}," said {friend}.'],
      FRIENDS,
    ],
  },
  {
    name: 'keeping it all',
    beats: [
      OPENING,
      [
        'One {time}, {he} took {all_food} to the {place}.',
        'One {time}, {hero} went to the {place} with {all_food}.',
      ],
      MEET,
      ['{friend} was hungry and had nothing to eat.', '"I am so hungry," said {friend}.'],
      ['But {hero} did not want to share.', '"They are all mine," said {hero}.'],
      ['{hero} ate {all_food} alone and felt sick.', 'Then {he} ate {all_food} and felt sick.'],
      ['{friend} went away without a word.', '{friend} walked away hungry.'],
      ['"Next time I will share," said {hero}.', '{hero} was sorry and wished {he} had shared.'],
    ],
  },
  {
    name: 'well prepared',
    beats: [
      OPENING,
      GOAL,
      ['But {weather}.', 'That {time}, {weather}.'],
      [
        '"Take {remedy} with you," said {his} {grown_up}.',
        '{His} {grown_up} said, "You will need {remedy}."',
      ],
      ['So {hero} took {remedy}.', '{hero} listened and took {remedy}.'],
      ['On the way {he} {good}.', 'Because of that, {he} {good}.'],
      [
        'At the {place} {he} could {activity} until it was time to go home.',
        'It was a fine day at the {place}.',
      ],
      ['"It was good that I took {remedy}," said {hero}.', '{hero} thanked {his} {grown_up}.'],
    ],
  },
  {
    name: 'badly prepared',
    beats: [
      OPENING,
      GOAL,
      ['But {weather}.', 'That {time}, {weather}.'],
      [
        '"Take {remedy} with you," said {his} {grown_up}.',
        '{His} {grown_up} said, "You will need {remedy}."',
      ],
      ['But {hero} did not take {remedy}.', '{hero} did not listen and left without {remedy}.'],
      ['On the way {he} {bad}.', 'Before long {he} {bad}.'],
      ['{He} had to go home and could not {activity}.', 'So {he} turned around and went home.'],
      ['"Next time I will take {remedy}," said {hero}.', '{His} {grown_up} gave {him} a hug.'],
    ],
  },
  {
    name: 'a rule broken',
    beats: [
      OPENING,
      WARNED,
      ['But one {time} {hero} {deed}.', '{hero} did not listen and {deed}.'],
      ['Right away {he} {harm}.', 'Then {he} {harm}.'],
      ['"I am sorry," said {hero}.', '{hero} told {his} {grown_up} everything.'],
      ['{His} {grown_up} helped {him}.', '{His} {grown_up} was not angry for long.'],
      ['{hero} never {deed} again.', '"I will not {rule} again," said {hero}.'],
    ],
  },
  {
    name: 'a rule kept',
    beats: [
      OPENING,
      WARNED,
      [
        '{friend} the {friend_kind} said, "Come on, let us {rule}!"',
        'One {time}, {friend} the {friend_kind} wanted to {rule}.',
      ],
      ['But {hero} said no.', '"No," said {hero}, "we must not {rule}."'],
      ['So {friend} {deed} alone and {harm}.', '{friend} laughed, {deed} and {harm}.'],
      [
        '{hero} ran to get {his} {grown_up}, who helped {friend}.',
        '{hero} helped {friend} get up.',
      ],
      [
        '"You were right," said {friend}.',
        '"I should have listened to you, {hero}," said {friend}.',
      ],
    ],
  },
  {
    name: 'making something',
    beats: [
      OPENING,
      [
        '{He} wanted to make a {made} for {his} {grown_up}.',
        'One {time}, {hero} said, "I will make a {made} for my {grown_up}."',
      ],
      ['For a {made} you need {first} and {second}.', '{He} needed {first} and {second}.'],
      ['{He} found {first} at the {place}.', 'First {he} went to the {place} and got {first}.'],
      [
        '{friend} the {friend_kind} gave {him} {second}.',
        'Then {he} asked {friend} the {friend_kind} for {second}.',
      ],
      ['{hero} and {friend} worked until {end}.', 'It took {him} until {end}.'],
      ['The {made} was made of {first} and {second}.', 'At last the {made} was ready.'],
      ['{His} {grown_up} loved the {made}.', '"What a lovely {made}!" said {his} {grown_up}.'],
    ],
  },
];
