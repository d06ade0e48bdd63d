import { describe, expect, test } from 'vitest';
import { parseStage } from '../../config/stage/index.ts';
import { DataError } from '../errors.ts';
import { utf8 } from '../tokenizer/utf8.ts';
import { ownData } from './own_data.ts';
import type { Needs } from './raw_data.ts';

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

function read(needs: Needs, text: string, malformed: 'refuse' | 'skip' = 'refuse') {
  const { dataset } = parseStage({ dataset: { task: 'own', malformed } });
  const file = { name: 'my.jsonl', bytes: utf8(text) };
  return ownData(file, needs, { dataset, parent_run: 'parent' });
}
const line = (needs: Needs, row: unknown) =>
  read(needs, JSON.stringify(row))[needs].train[0]?.value;

describe('columns of TRL', () => {
  test.each([
    ['text', { text: 'a' }],
    ['messages', { messages: [user('a'), assistant('b')] }],
    ['prompt and completion', { prompt: 'a', completion: 'b' }],
    ['messages of prompt and completion', { prompt: [user('a')], completion: [assistant('b')] }],
  ])('examples: %s', (_, row) => {
    expect(line('examples', row)).toEqual(row);
    expect(line('examples', { ...row, id: 7 })).toEqual(row);
  });

  test.each([
    ['text', { prompt: 'a', chosen: 'b', rejected: 'c' }],
    ['messages', { prompt: [user('a')], chosen: [assistant('b')], rejected: [assistant('c')] }],
    ['a margin', { prompt: 'a', chosen: 'b', rejected: 'c', margin: 0.5 }],
  ])('pairs with a prompt: %s', (_, row) => {
    expect(line('pairs', row)).toEqual(row);
  });

  test('pairs whose answers begin with the prompt', () => {
    expect(line('pairs', { chosen: 'The sky is blue.', rejected: 'The sky is green.' })).toEqual({
      prompt: 'The sky is',
      chosen: ' blue.',
      rejected: ' green.',
    });
    const before = [user('a'), assistant('b'), user('c')];
    const chosen = [...before, assistant('d')];
    const rejected = [...before, assistant('e')];
    expect(line('pairs', { chosen, rejected })).toEqual({
      prompt: before,
      chosen: [assistant('d')],
      rejected: [assistant('e')],
    });
  });

  test('prompts, perhaps with an answer', () => {
    const prompt = { prompt: 'a', kind: 'own', facts: {} };
    expect(line('prompts', { prompt: 'a' })).toEqual({ ...prompt, answer: null });
    expect(line('prompts', { prompt: 'a', answer: 7 })).toEqual({ ...prompt, answer: '7' });
    expect(line('prompts', { prompt: 'a', completion: 'b' })).toEqual({ ...prompt, answer: 'b' });
  });

  test('votes are pairs, without those for neither answer', () => {
    const vote = { run: 'parent', step: 3, prompt: [user('a')], answers: ['b', 'c'], at: 1 };
    const lines = [0, 1, null].map((choice) => JSON.stringify({ ...vote, choice }));
    const { pairs, notes } = read('pairs', lines.join('\n'));
    const { prompt } = vote;
    expect(pairs.train.map(({ value }) => value)).toEqual([
      { prompt, chosen: 'b', rejected: 'c' },
      { prompt, chosen: 'c', rejected: 'b' },
    ]);
    expect(notes).toEqual(['Votes for neither answer or between equal ones, left out: 1.']);
    const other = JSON.stringify({ ...vote, run: 'other', choice: 0 });
    expect(() => read('pairs', other, 'skip')).toThrow('are on answers of another run (other)');
  });
});

const BAD: [Needs, string, string][] = [
  ['examples', '{', 'is not JSON'],
  ['examples', '[1]', 'is not a JSON object'],
  ['examples', '{"a": 1}', 'has neither "messages" nor "prompt" and "completion" nor "text"'],
  ['examples', '{"text": ""}', 'has an empty text'],
  ['examples', '{"prompt": "a", "completion": ""}', 'has an empty "completion"'],
  ['examples', '{"prompt": "a", "completion": 5}', 'has "completion" that is no text'],
  [
    'examples',
    JSON.stringify({ messages: [user('a')] }),
    'has a conversation without a turn of the assistant',
  ],
  ['examples', JSON.stringify({ messages: [{ role: 'tool', content: 'a' }] }), 'whose role is not'],
  ['examples', JSON.stringify({ messages: [{ role: 'user' }] }), 'without content'],
  ['examples', JSON.stringify({ messages: [null] }), 'without content'],
  [
    'examples',
    JSON.stringify({ prompt: 'a', completion: [assistant('b')] }),
    'of two kinds, one text and one messages',
  ],
  ['pairs', '{"prompt": "a", "chosen": "b"}', 'lacks "chosen" or "rejected"'],
  ['pairs', '{"prompt": "a", "chosen": "b", "rejected": "b"}', 'has two equal answers'],
  ['pairs', '{"prompt": "a", "chosen": "b", "rejected": ""}', 'has an empty "rejected"'],
  ['pairs', '{"prompt": "a", "chosen": "b", "rejected": "c", "margin": "1"}', '"margin"'],
  ['pairs', '{"answers": ["a"], "choice": 0}', 'is a vote without two answers'],
  ['pairs', '{"answers": ["a", "b"], "choice": 2}', 'whose choice is not 0, 1 or null'],
  ['prompts', '{"answer": "a"}', 'has no "prompt"'],
  ['prompts', '{"prompt": ""}', 'has an empty prompt'],
];

describe('a malformed line', () => {
  const good: Record<Needs, string> = {
    examples: '{"text": "a"}',
    pairs: '{"prompt": "a", "chosen": "b", "rejected": "c"}',
    prompts: '{"prompt": "a"}',
  };

  test.each(BAD)('%s: %s %s', (needs, bad, what) => {
    const text = `${good[needs]}\n\n${bad}\r\n`;
    const refused = () => read(needs, text);
    expect(refused).toThrow(DataError);
    expect(refused).toThrow('Line 3 of "my.jsonl" ');
    expect(refused).toThrow(what);
    const data = read(needs, text, 'skip');
    expect(data[needs].train).toHaveLength(1);
    expect(data.notes).toEqual(['Malformed lines that were skipped: 1.']);
  });

  test('a file without an example is refused', () => {
    expect(() => read('examples', '\n')).toThrow('"my.jsonl" has no example.');
    expect(() => read('examples', '{\n', 'skip')).toThrow('"my.jsonl" has no example.');
  });

  test('a file that is not UTF-8 is refused', () => {
    const { dataset } = parseStage({ dataset: { task: 'own' } });
    const file = { name: 'my.jsonl', bytes: Uint8Array.of(0x7b, 0xff) };
    expect(() => ownData(file, 'examples', { dataset, parent_run: null })).toThrow('not UTF-8');
  });
});

test('examples with the same prompt are held out together', () => {
  const rows = Array.from({ length: 100 }, (_, i) => ({
    prompt: `prompt ${i % 25}`,
    completion: `${i}`,
  }));
  const { examples } = read('examples', rows.map((row) => JSON.stringify(row)).join('\n'));
  const prompts = (side: typeof examples.val) =>
    new Set(side.map(({ value }) => ('prompt' in value ? value.prompt : '')));
  const trained = prompts(examples.train);
  expect(examples.val).toHaveLength(8);
  expect([...prompts(examples.val)].filter((prompt) => trained.has(prompt))).toEqual([]);
});
