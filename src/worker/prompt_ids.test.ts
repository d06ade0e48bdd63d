/** What a generated text starts from, for texts and tokenizers of every kind. */
import { describe, expect, it } from 'vitest';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { parseStage } from '../config/stage/index.ts';
import { byteTokenizer } from '../data/index.ts';
import { promptIds } from './prompt_ids.ts';
import type { PreparedText } from './prepared_text.ts';
import { prepareText } from './text.ts';

function prepared(
  content: string,
  kind: RunConfig['tokenizer']['kind'] = 'char',
  name = 'a.txt',
): Promise<PreparedText> {
  const config = defaultConfig();
  config.data.corpus = 'own';
  Object.assign(config.tokenizer, { kind, vocab_size: 300 });
  return prepareText(config, {
    text: { name, bytes: new TextEncoder().encode(content) },
    signal: new AbortController().signal,
    progress: () => undefined,
  });
}

const RUNNING =
  'The river rose a hand above the step.\n\nThe ferryman counted it twice.\n\n'.repeat(40);
const start = (text: PreparedText, prompt = '', seed = 0): string =>
  text.tokenizer.decode(promptIds(text, prompt, seed));

describe('an empty prompt', () => {
  it.each(['char', 'byte', 'bpe'] as const)(
    'starts after a line end in a running text of %s tokens, which has no end-of-text token',
    async (kind) => {
      const text = await prepared(RUNNING, kind);
      expect(text.by_document).toBe(false);
      expect(start(text)).toBe('\n');
      expect(start(text, 'The')).toBe('The');
    },
  );

  it('starts after the end-of-text token where documents end with it', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `{"text":"row ${i}"}`).join('\n');
    const text = await prepared(rows, 'byte', 'a.jsonl');
    expect(promptIds(text, '', 0)).toEqual([256]);
    expect(promptIds(text, 'r', 0)).toEqual([256, 114]);
  });

  it('starts after the separator of a list', async () => {
    const words = Array.from({ length: 40 }, (_, i) => `word${i}`).join('\n');
    expect(start(await prepared(words))).toBe('\n');
  });

  it('starts after a space in a text of one line, else after a token of the text', async () => {
    expect(start(await prepared('one two three '.repeat(50)))).toBe(' ');
    const text = await prepared('我們今天去河邊看船'.repeat(50));
    const drawn = new Set(Array.from({ length: 50 }, (_, seed) => start(text, '', seed)));
    expect(drawn.size).toBeGreaterThan(3);
    for (const char of drawn) expect('我們今天去河邊看船').toContain(char);
    expect(start(text, '', 7)).toBe(start(text, '', 7));
  });
});

it('replaces half of a surrogate pair in a prompt', async () => {
  const text = await prepared(RUNNING, 'byte');
  expect(start(text, 'The \ud83d')).toBe('The \ufffd');
});

describe('a prompt of a stage', () => {
  const staged = (rows: readonly object[]): Promise<PreparedText> => {
    const content = rows.map((row) => JSON.stringify(row)).join('\n');
    return prepareText(defaultConfig(), {
      text: { name: 'a.jsonl', bytes: new TextEncoder().encode(content) },
      tokenizer: byteTokenizer(),
      signal: new AbortController().signal,
      progress: () => undefined,
      stage: {
        config: parseStage({ dataset: { task: 'own' } }),
        needs: 'examples',
        chat_template: null,
        special: {},
        block_size: 64,
        votes: [],
      },
    });
  };
  const rows = Array.from({ length: 20 }, (_, i) => ({ prompt: `${i}+1=`, completion: 'x' }));

  it('is text where its examples are text, with nothing before it', async () => {
    const text = await staged(rows);
    expect(promptIds(text, '1+1=', 0)).toEqual([...text.tokenizer.encode('1+1=')]);
    expect(promptIds(text, '', 0)).toHaveLength(1);
  });

  it('is what a user says where its examples are conversations', async () => {
    const text = await staged(
      rows.map(({ prompt, completion }) => ({
        prompt: [{ role: 'user', content: prompt }],
        completion: [{ role: 'assistant', content: completion }],
      })),
    );
    const special = text.tokenizer.special_tokens;
    expect(promptIds(text, 'a', 0)).toEqual([
      special.get('<|user|>'),
      97,
      special.get('<|end|>'),
      special.get('<|assistant|>'),
    ]);
  });
});
