/** The words of the tales, and the facts that must agree within a tale. */

export const GIRLS = [
  'Lily',
  'Mia',
  'Anna',
  'Sara',
  'Lucy',
  'Emma',
  'Zoe',
  'Ella',
  'Rosie',
  'Nora',
  'Ivy',
  'Molly',
  'Ruby',
  'Clara',
  'Hazel',
  'Poppy',
];
export const BOYS = [
  'Tom',
  'Ben',
  'Max',
  'Sam',
  'Leo',
  'Jack',
  'Finn',
  'Theo',
  'Oscar',
  'Henry',
  'Luke',
  'Noah',
  'Toby',
  'Felix',
  'Hugo',
  'Otto',
];
export const ANIMALS = [
  'rabbit',
  'fox',
  'bear',
  'mouse',
  'duck',
  'cat',
  'dog',
  'frog',
  'hedgehog',
  'squirrel',
];
export const TRAITS = [
  'little',
  'brave',
  'kind',
  'curious',
  'shy',
  'clever',
  'cheerful',
  'gentle',
  'quiet',
  'playful',
];
export const COLORS = ['red', 'blue', 'green', 'yellow', 'white', 'purple', 'brown'];
export const TOYS = [
  'ball',
  'kite',
  'boat',
  'drum',
  'doll',
  'bell',
  'scarf',
  'whistle',
  'lantern',
  'hat',
];
export const PLACES = [
  'park',
  'garden',
  'forest',
  'beach',
  'farm',
  'market',
  'lake',
  'meadow',
  'school',
  'hill',
];
export const SPOTS = [
  'under the bench',
  'behind the big tree',
  'in the tall grass',
  'next to the gate',
  'inside the old box',
  'under the bridge',
  'behind the wall',
  'on top of the rock',
];
export const TIMES = ['morning', 'afternoon', 'evening', 'day', 'Monday', 'Saturday'];
export const ACTIVITIES = [
  'play ball',
  'pick flowers',
  'fly a kite',
  'look for shells',
  'read a book',
  'sing songs',
  'draw pictures',
  'feed the ducks',
];
export const ENDS = ['the next day', 'late at night', 'everything was done'];
export const GROWN_UPS = ['mother', 'father', 'grandmother', 'grandfather', 'aunt', 'uncle'];
export const NUMBERS = [
  'no',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
];

/** Singular and plural. */
export const FOODS: readonly (readonly [string, string])[] = [
  ['apple', 'apples'],
  ['pear', 'pears'],
  ['cookie', 'cookies'],
  ['berry', 'berries'],
  ['nut', 'nuts'],
  ['plum', 'plums'],
  ['carrot', 'carrots'],
  ['cherry', 'cherries'],
];

/** A weather, its remedy, and the outcome with and without it. */
export const WEATHER = [
  { weather: 'it was raining', remedy: 'an umbrella', good: 'stayed dry', bad: 'got very wet' },
  {
    weather: 'it was very cold',
    remedy: 'a warm coat',
    good: 'stayed warm',
    bad: 'began to shiver',
  },
  {
    weather: 'the forest path was dark',
    remedy: 'a bright lamp',
    good: 'saw the path',
    bad: 'lost the way',
  },
  { weather: 'the sun was very hot', remedy: 'a big hat', good: 'stayed cool', bad: 'got too hot' },
  {
    weather: 'there was deep snow',
    remedy: 'a pair of boots',
    good: 'had dry feet',
    bad: 'had wet feet',
  },
  {
    weather: 'the way was long',
    remedy: 'some bread and milk',
    good: 'was not hungry',
    bad: 'got very hungry',
  },
];

/** A forbidden action, the same in the past tense, and its consequence. */
export const RULES = [
  { rule: 'touch the hot pot', deed: 'touched the hot pot', harm: 'got a burned hand' },
  { rule: 'climb the wet tree', deed: 'climbed the wet tree', harm: 'fell down and hurt one knee' },
  { rule: 'eat the whole cake', deed: 'ate the whole cake', harm: 'got a bad tummy ache' },
  { rule: 'run on the ice', deed: 'ran on the ice', harm: 'slipped and hit the ground' },
  { rule: 'wake the old goose', deed: 'woke the old goose', harm: 'was chased around the yard' },
  { rule: 'poke the bees', deed: 'poked the bees', harm: 'was stung on the nose' },
  { rule: 'swing on the gate', deed: 'swung on the gate', harm: 'broke the gate' },
];

/** Things and their two ingredients. */
export const RECIPES = [
  { made: 'kite', first: 'paper', second: 'string' },
  { made: 'crown', first: 'flowers', second: 'ribbon' },
  { made: 'necklace', first: 'shells', second: 'thread' },
  { made: 'cake', first: 'flour', second: 'eggs' },
  { made: 'pillow', first: 'feathers', second: 'cloth' },
  { made: 'sled', first: 'wood', second: 'rope' },
  { made: 'soup', first: 'potatoes', second: 'salt' },
  { made: 'basket', first: 'straw', second: 'reeds' },
];

/** "two apples", "one apple", "no apples". */
export const amount = (count: number, [one, many]: readonly [string, string]): string =>
  `${NUMBERS[count] ?? String(count)} ${count === 1 ? one : many}`;

export interface Pronouns {
  he: string;
  his: string;
  him: string;
}
const SHE: Pronouns = { he: 'she', his: 'her', him: 'her' };
const HE: Pronouns = { he: 'he', his: 'his', him: 'him' };
export const pronounsOf = (name: string): Pronouns => (GIRLS.includes(name) ? SHE : HE);
