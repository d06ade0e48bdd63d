import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultStage, type PreferenceName } from '../../config/stage/index.ts';
import { arithmetic } from '../corpora/arithmetic.ts';
import { tinyTales } from '../corpora/tiny_tales/generate.ts';
import { cpuMilliseconds } from '../fixtures/node.ts';
import type { Answer, PromptExample, SftExample } from '../stages/types.ts';
import { arithmeticTask } from './arithmetic.ts';
import { promptText } from './draw.ts';
import { withMargins } from './pairs.ts';
import { rewardNamed, wordsOf } from './rewards.ts';
import { stringsTask } from './strings.ts';
import { talesTask } from './tales/index.ts';
import { CONSTRAINTS, ENDINGS, keptConstraints } from './tales/stories.ts';
import type { DatasetConfig, Task } from './types.ts';

/** Enough of the tales to have all of their words. */
const TALES = tinyTales(1).documents.slice(0, 3000).join('\n');
const TASKS: readonly Task[] = [talesTask, arithmeticTask, stringsTask];
/** Each generated preference of each task. */
const PREFERENCES = TASKS.flatMap((task) =>
  task.preferences.map((preference) => [task.name, preference, task] as const),
);

const dataset = (changes: Partial<DatasetConfig> = {}): DatasetConfig => ({
  ...defaultStage().dataset,
  eval_size: 1000,
  ...changes,
});

const answer = (text: string, changes: Partial<Answer> = {}): Answer => ({
  text,
  ended: true,
  tokens: 8,
  max_tokens: 32,
  ...changes,
});

const textOf = (turns: unknown): string =>
  typeof turns === 'string' ? turns : promptText({ prompt: turns as PromptExample['prompt'] });

function completionOf(example: SftExample | undefined): string {
  if (example === undefined || !('completion' in example))
    throw new Error('There is no completion.');
  return textOf(example.completion);
}

const correct = (task: Task, example: PromptExample, text: string): number =>
  rewardNamed(task.rewards, 'correct').score(example, answer(text));

/** Share of the most frequent value. */
function majority(values: readonly (string | null)[]): number {
  const counts = new Map<string | null, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Math.max(...counts.values()) / values.length;
}

describe.each(TASKS.map((task) => [task.name, task] as const))('task %s', (_, task) => {
  const { rewards } = task;
  const preference = task.preferences[0] ?? 'correct';
  const settings = dataset({ preference });
  const examples = task.examples(settings);
  const prompts = task.prompts(settings);

  it('is a function of the seed', () => {
    expect(task.examples(settings)).toEqual(examples);
    expect(task.pairs(settings)).toEqual(task.pairs(settings));
    expect(task.examples({ ...settings, seed: 2 })).not.toEqual(examples);
  });
  it('has as many examples as are asked for', () => {
    expect([examples.train.length, examples.val.length]).toEqual([2000, 1000]);
    expect([prompts.train.length, prompts.val.length]).toEqual([2000, 1000]);
    const pairs = task.pairs(settings);
    expect([pairs.train.length, pairs.val.length]).toEqual([2000, 1000]);
  });
  it('asks held-out prompts once, and in training with any seed never', () => {
    const held_out = new Set(prompts.val.map(promptText));
    expect(held_out.size).toBe(1000);
    for (const seed of [1, 2, 3])
      expect(
        task
          .prompts({ ...settings, seed, size: 5000 })
          .train.filter((example) => held_out.has(promptText(example))),
      ).toEqual([]);
  });
  it('scores its own answers as correct, well formed and ended', () => {
    const names = ['correct', 'well_formed', 'ends', 'brief'];
    const scores = (['train', 'val'] as const).flatMap((side) =>
      prompts[side].map((example, index) => {
        const text = completionOf(examples[side][index]);
        const values = names.map((name) => rewardNamed(rewards, name).score(example, answer(text)));
        return { text, scores: values.join() };
      }),
    );
    expect(scores.filter((one) => one.scores !== '1,1,1,0.75')).toEqual([]);
  });
  it('scores other answers as wrong', () => {
    const [first] = prompts.val;
    if (first === undefined) throw new Error('There are no prompts.');
    const right = completionOf(examples.val[0]);
    for (const text of ['', ' ', `${right} ${right}`, right.slice(0, -1), 'Once', '0'])
      expect([text, correct(task, first, text)]).toEqual([text, 0]);
    expect(rewardNamed(rewards, 'ends').score(first, answer(right, { ended: false }))).toBe(0);
  });
  it('never throws and always scores with a number, whatever the text', () => {
    const all = [...rewards, ...task.preferences.map((name) => task.trueReward(name))];
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(999), (text, index) => {
        const example = prompts.val[index];
        if (example === undefined) throw new Error('There is no such prompt.');
        for (const reward of all)
          expect(Number.isFinite(reward.score(example, answer(text)))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
  it('makes 10,000 examples in less than a second of processor time', () => {
    const start = cpuMilliseconds();
    task.examples(dataset({ size: 10_000, preference }));
    expect(cpuMilliseconds() - start).toBeLessThan(1000);
  });
});

describe.each(PREFERENCES)('pairs of %s: %s', (_, preference, task) => {
  const settings = dataset({ preference });
  const truth = task.trueReward(preference);
  const agrees = (pair: ReturnType<Task['pairs']>['train'][number]) =>
    truth.score(pair.example, answer(textOf(pair.chosen))) >
    truth.score(pair.example, answer(textOf(pair.rejected)));

  it('prefer the answer with the higher true reward', () => {
    const { train, val } = task.pairs(settings);
    expect(train.every(agrees)).toBe(true);
    expect(val.every(agrees)).toBe(true);
  });
  it('swap a tenth of the training pairs, but none of the held-out pairs', () => {
    const { train, val } = task.pairs({ ...settings, label_noise: 0.1 });
    expect(train.filter((pair) => !agrees(pair))).toHaveLength(200);
    expect(val.every(agrees)).toBe(true);
  });
  it('have a margin for each unit of true reward, also where label noise swaps them', () => {
    const pairs = task.pairs({ ...settings, label_noise: 0.1 });
    const { train, val } = withMargins(pairs, dataset({ margin: 4 }), truth);
    for (const pair of [...train, ...val]) {
      const [chosen, rejected] = [pair.chosen, pair.rejected].map((turns) =>
        truth.score(pair.example, answer(textOf(turns))),
      );
      expect(pair.margin).toBe(4 * Math.abs((chosen ?? NaN) - (rejected ?? NaN)));
      expect(pair.margin).toBeGreaterThan(0);
    }
    expect(withMargins(pairs, dataset({ margin: 0 }), truth)).toBe(pairs);
  });
  it('are about held-out prompts that training never has', () => {
    const { train, val } = task.pairs(settings);
    const seen = new Set(train.map(({ example }) => promptText(example)));
    expect(val.some(({ example }) => seen.has(promptText(example)))).toBe(false);
  });
});

describe('tales', () => {
  const prompts = talesTask.prompts(dataset({ size: 10_000 }));
  const keyOf = ({ facts }: PromptExample) => [facts.person, facts.place, facts.object].join();

  it('has pairs of stories that differ in the broken constraints only', () => {
    const pairs = talesTask.pairs(dataset()).val.filter(({ example, rejected }) => {
      const { object, ...others } = keptConstraints(example, textOf(rejected));
      return !object && Object.values(others).every((kept) => kept);
    });
    expect(pairs.length).toBeGreaterThan(20);
    for (const { example, chosen, rejected } of pairs) {
      const words = wordsOf(textOf(chosen));
      const others = wordsOf(textOf(rejected));
      expect(others).toHaveLength(words.length);
      const different = words.filter((word, index) => word !== others[index]);
      expect(different).toEqual([example.facts.object]);
    }
  });
  it('holds out triples of person, place and object', () => {
    const held_out = new Set(prompts.val.map(keyOf));
    expect(held_out.size).toBeGreaterThan(500);
    expect(prompts.train.filter((example) => held_out.has(keyOf(example)))).toEqual([]);
  });
  it.each(['who', 'where', 'what', 'why'])(
    'has no answer to "%s" that is right for 40 % of the prompts',
    (kind) => {
      const asked = prompts.val.filter((example) => example.kind === kind);
      expect(asked.length).toBeGreaterThan(100);
      expect(majority(asked.map((example) => example.answer))).toBeLessThan(0.4);
    },
  );
  it('asks for questions or stories alone if told so', () => {
    const kinds = (ask: DatasetConfig['ask']) =>
      new Set(talesTask.prompts(dataset({ ask })).train.map(({ kind }) => kind));
    expect(kinds('stories')).toEqual(new Set(['story']));
    expect(kinds('questions')).toEqual(new Set(['who', 'where', 'what', 'why']));
    expect(kinds('all').size).toBe(5);
  });
  it('offers four distinct choices to each question, the right one first', () => {
    for (const example of prompts.val) {
      const choices = talesTask.choices(example);
      if (example.kind === 'story') expect(choices).toEqual([]);
      else {
        expect(choices[0]).toBe(example.answer);
        expect(new Set(choices).size).toBe(4);
      }
      for (const choice of choices.slice(1)) expect(correct(talesTask, example, choice)).toBe(0);
    }
  });
  it('uses only characters of the corpus, and few words that it lacks', () => {
    const characters = new Set(TALES);
    const words = new Set(wordsOf(TALES));
    const missing = new Set<string>();
    const texts = prompts.train.map(promptText);
    for (const preference of talesTask.preferences) {
      const { train } = talesTask.pairs(dataset({ preference, size: 500 }));
      for (const { chosen, rejected } of train) texts.push(textOf(chosen), textOf(rejected));
    }
    for (const word of wordsOf(texts.join('\n'))) if (!words.has(word)) missing.add(word);
    const unknown = [...new Set(texts.join('\n'))].filter((one) => !characters.has(one));
    expect(unknown).toEqual([]);
    const asking = ['Tell', 'Where', 'Who', 'ends', 'find', 'happily', 'live', 'lose', 'sadly'];
    expect([...missing].sort()).toEqual(['Near', 'To', ...asking].sort());
  });
  it('scores a story by the constraints that it keeps', () => {
    const facts = { person: 'Mia', object: 'kite', place: 'lake', ending: 'sadly' };
    const kept = (text: string) =>
      CONSTRAINTS.filter((constraint) => keptConstraints({ facts }, text)[constraint]);
    expect(kept('Mia took a kite to the lake. Tom came by. Mia was sad.')).toEqual([
      ...CONSTRAINTS,
    ]);
    expect(kept('Tom took a kite to the lake. Mia came by. Mia was sad.')).not.toContain('person');
    expect(kept('Mia took a kite and a ball to the lake. She was sad.')).not.toContain('object');
    expect(kept('Mia took a kite to the lake and the park. She was sad.')).not.toContain('place');
    expect(kept('Mia was sad. Then Mia took a kite to the lake.')).not.toContain('ending');
    expect(kept('Mia took a kite to the lake. She was sad but happy.')).not.toContain('ending');
    expect(kept('')).toEqual([]);
  });
  it('breaks one to three constraints in the worse of two stories, which have equally many words', () => {
    const { train } = talesTask.pairs(dataset({ preference: 'constraint' }));
    const broken = train.map(({ example, rejected }) => {
      const kept = keptConstraints(example, textOf(rejected));
      return CONSTRAINTS.filter((constraint) => !kept[constraint]);
    });
    for (const count of [1, 2, 3])
      expect(broken.filter(({ length }) => length === count).length).toBeGreaterThan(550);
    for (const constraint of CONSTRAINTS)
      expect(broken.filter((list) => list.includes(constraint)).length).toBeGreaterThan(900);
    const words = (turns: unknown) => wordsOf(textOf(turns)).length;
    expect(train.filter(({ chosen, rejected }) => words(chosen) !== words(rejected))).toEqual([]);
  });
  it('asks for each ending about as often as for the others', () => {
    const stories = talesTask.prompts(dataset({ ask: 'stories' })).val;
    for (const ending of ENDINGS)
      expect(stories.filter(({ facts }) => facts.ending === ending).length).toBeGreaterThan(250);
  });
});

describe('strings', () => {
  const { train } = stringsTask.examples(dataset());
  const prompts = stringsTask.prompts(dataset()).train;

  it('reverses, sorts and counts letters', () => {
    prompts.forEach(({ kind, facts: { word = '' } }, index) => {
      const text = completionOf(train[index]);
      const letters = [...word];
      if (kind === 'reverse') expect(text).toBe(letters.toReversed().join(' '));
      else if (kind === 'sort') expect(text).toBe(letters.toSorted().join(' '));
      else expect(text).toMatch(/^(one|two|three|four)$/);
    });
  });
  it('has every count about as often, as words', () => {
    const counts = prompts.filter(({ kind }) => kind === 'count');
    expect(majority(counts.map(({ answer: count }) => count))).toBeLessThan(0.3);
    for (const example of counts) {
      const [, letter = '', word = ''] = /^Count (.) in (.*)$/.exec(promptText(example)) ?? [];
      const numbers = ['no', 'one', 'two', 'three', 'four'];
      expect(example.answer).toBe(numbers[word.split(' ').filter((one) => one === letter).length]);
      expect(new Set(stringsTask.choices(example)).size).toBe(4);
      expect(stringsTask.choices(example)[0]).toBe(example.answer);
    }
  });
  it('uses only characters of the tiny tales', () => {
    const characters = new Set(TALES);
    const used = new Set(prompts.map(promptText).join('\n'));
    expect([...used].filter((one) => !characters.has(one))).toEqual([]);
  });
});

describe('arithmetic', () => {
  const first = (changes: Partial<DatasetConfig>) => {
    const { train } = arithmeticTask.examples(dataset({ size: 5, ...changes }));
    return train.map((example) =>
      'prompt' in example ? `${textOf(example.prompt)}${completionOf(example)}` : '',
    );
  };
  it('writes the digits of a reversed answer from the last to the first', () => {
    for (const line of first({ format: 'reversed', digits: 3 })) {
      const [, a, b, sum] = /^(\d{3})\+(\d{3})=(\d{3,4})$/.exec(line) ?? [];
      expect(Number([...(sum ?? '')].reverse().join(''))).toBe(Number(a) + Number(b));
    }
  });
  it('writes a scratchpad of one line per digit with its carry, and the sum last', () => {
    for (const line of first({ format: 'scratchpad', digits: 2 })) {
      const [, a, b, low, high, sum] =
        /^(\d\d)\+(\d\d)=(\d\+\d\+0=\d+)\n(\d\+\d\+[01]=\d+)\n(\d+)$/.exec(line) ?? [];
      expect(Number(sum)).toBe(Number(a) + Number(b));
      for (const step of [low, high]) {
        const [x, y, carry, result] = (step ?? '').split(/\D/).map(Number);
        expect((x ?? NaN) + (y ?? NaN) + (carry ?? NaN)).toBe(result);
      }
    }
  });
  it('uses only characters of the corpus', () => {
    const characters = new Set(arithmetic(1).documents.join('\n'));
    for (const format of ['plain', 'reversed', 'scratchpad'] as const)
      for (const line of first({ format }))
        expect([...line].filter((character) => !characters.has(character))).toEqual([]);
  });
  it('stops where all sums of few digits are used up', () => {
    const { train, val } = arithmeticTask.examples(dataset({ digits: 1 }));
    expect(train.length + val.length).toBe(100);
  });
  it('refuses a preference that it does not have', () => {
    expect(() => arithmeticTask.pairs(dataset({ preference: 'polite' as PreferenceName }))).toThrow(
      'The task "Arithmetic" has no preference "polite".',
    );
  });
});
