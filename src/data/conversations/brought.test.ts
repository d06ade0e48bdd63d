/** Compares with transformers: scripts/check_chat_export.py make. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Message } from '../../common/index.ts';
import { trainBpeTokenizer } from '../tokenizer/bpe.ts';
import { importTokenizer } from '../tokenizer/imported.ts';
import { chatFormat, type ChatTokens } from './index.ts';

interface Family {
  name: string;
  template: string;
  tokens: ChatTokens;
  /** The end of a turn. */
  end: number;
  tokenizer: object;
  cases: { messages: Message[]; ids?: number[]; prompt?: number[]; error?: string }[];
}

const FILE = new URL('fixtures/brought.json', import.meta.url);
const families = JSON.parse(readFileSync(FILE, 'utf8')) as Family[];

describe.each(families)('a chat template of the family $name', (family) => {
  const { template, tokens, end, cases } = family;
  const format = async () => chatFormat(await importTokenizer(family.tokenizer), template, tokens);

  test('gives the ids of transformers, or refuses as it does', async () => {
    const chat = await format();
    for (const { messages, ids, prompt, error } of cases) {
      const encode = () => [...chat.encode({ messages }, true).ids];
      if (error !== undefined) expect(encode).toThrow(error);
      else expect(encode()).toEqual(ids);
      if (prompt) expect([...chat.encodePrompt(messages.slice(0, -1))]).toEqual(prompt);
    }
  });

  test('learns the turns of the assistant with their end token', async () => {
    const chat = await format();
    expect(chat.eos_token_id).toBe(end);
    const messages = cases[1]?.messages ?? [];
    const { ids, mask } = chat.encode({ messages }, true);
    const learned = ids.filter((_id, i) => mask[i] === 1);
    expect(learned.filter((id) => id === end)).toHaveLength(2);
    const said = messages.filter(({ role }) => role === 'assistant').map(({ content }) => content);
    expect(chat.tokenizer.decode(learned).replaceAll(' ', '')).toBe(
      said.join('').replaceAll(' ', ''),
    );
    const last = chat.encodeAnswer(messages.slice(0, -1), messages.slice(-1));
    expect(last.ids).toEqual(ids);
    expect(last.mask.indexOf(1)).toBe(cases[1]?.prompt?.length);
  });

  test('pads with another token than the end', async () => {
    const chat = await format();
    expect(chat.pad_token_id).not.toBe(end);
    if (typeof tokens.pad_token_id === 'number')
      expect(chat.pad_token_id).toBe(tokens.pad_token_id);
    else expect(chat.tokenizer.special_tokens.get('<|pad|>')).toBe(chat.pad_token_id);
    const again = await importTokenizer(chat.tokenizer.file ?? chat.tokenizer.toTokenizerJson());
    const restored = chatFormat(again, template, { ...tokens, pad_token_id: chat.pad_token_id });
    expect(restored.pad_token_id).toBe(chat.pad_token_id);
    expect(restored.tokenizer.vocab_size).toBe(chat.tokenizer.vocab_size);
    const messages = cases[0]?.messages ?? [];
    expect(restored.encode({ messages }, true)).toEqual(chat.encode({ messages }, true));
  });
});

test('a model without a template gets our tokens after its own', async () => {
  const [family] = families;
  const base = await importTokenizer(family?.tokenizer);
  const chat = chatFormat(base);
  expect(chat.pad_token_id).toBe(base.vocab_size);
  expect(chat.eos_token_id).toBe(base.vocab_size + 1);
  const again = await importTokenizer(chat.tokenizer.file);
  const messages: Message[] = [
    { role: 'user', content: 'Who?' },
    { role: 'assistant', content: 'Lily <|im_end|>' },
  ];
  const encoded = chat.encode({ messages }, true);
  expect(chatFormat(again, chat.chat_template).encode({ messages }, true)).toEqual(encoded);
  expect([...encoded.ids].filter((id) => id >= 290)).toHaveLength(4);
});

describe('a template that cannot be used is refused in a sentence', () => {
  const bpe = trainBpeTokenizer(['abc'], { vocab_size: 260 });
  test.each([
    ['does not parse', '{% for %}', 'cannot write the conversation'],
    [
      'ends no turn',
      "{% for m in messages %}{{ m['content'] }}{% endfor %}",
      'does not end the turn',
    ],
    [
      'rewrites the prompt',
      "{% for m in messages %}{{ messages | length }}{{ m['content'] }}<|endoftext|>{% endfor %}",
      'a prompt is not the beginning of the conversation',
    ],
  ])('one that %s', async (_name, template, message) => {
    const tokenizer = await bpe;
    const messages: Message[] = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    const run = () =>
      chatFormat({ ...tokenizer, eos_token_id: null }, template).encode({ messages }, true);
    expect(run).toThrow(message);
  });
});
