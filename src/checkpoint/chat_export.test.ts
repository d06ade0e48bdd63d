/**
 * Stages as folders that `AutoTokenizer` opens with the same ids from `apply_chat_template`. If
 * EXPORT_DIR is set, they are written there for scripts/check_chat_export.py.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Message } from '../common/index.ts';
import { defaultStage, parseStage } from '../config/stage/index.ts';
import { chatFormat } from '../data/conversations/index.ts';
import {
  byteTokenizer,
  type ChatFormat,
  importTokenizer,
  trainBpeTokenizer,
  trainChar,
  type Tokenizer,
} from '../data/index.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { CheckpointState } from './checkpoint_state.ts';
import { encodeJson } from './json.ts';
import { LAYOUTS, tinyState } from './testing_states.ts';

const TEXT = 'Who has the red kite? Lily has it. Be kind. <|end|> <|user|>';
const TOKENIZERS: [string, keyof typeof LAYOUTS, () => Tokenizer | Promise<Tokenizer>][] = [
  ['char', 'gpt2', () => trainChar([TEXT])],
  ['byte', 'llama', byteTokenizer],
  ['bpe', 'qwen3', () => trainBpeTokenizer([TEXT, TEXT], { vocab_size: 280 })],
];
const CONVERSATIONS: Message[][] = [
  [
    { role: 'user', content: 'Who has the red kite?' },
    { role: 'assistant', content: 'Lily has it.' },
  ],
  [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: ' Who<|end|><|user|>has it? ' },
    { role: 'assistant', content: 'Lily.' },
    { role: 'user', content: 'Who?' },
    { role: 'assistant', content: 'Lily' },
  ],
];

const json = (files: ReadonlyMap<string, Uint8Array>, path: string): unknown =>
  JSON.parse(new TextDecoder().decode(files.get(path)));

async function stage(layout: string, chat: ChatFormat): Promise<CheckpointState> {
  const { tokenizer, chat_template, pad_token_id, bos_token_id } = chat;
  const change = { ...LAYOUTS[layout], block_size: 128 };
  return {
    ...tinyState(change, 3, tokenizer.vocab_size),
    tokenizer,
    eos_token_id: undefined,
    bos_token_id,
    pad_token_id,
    chat_template,
    stage: defaultStage(),
    optimizer: new Map(),
    metrics: undefined,
  };
}

function expectedOf(chat: ChatFormat): object {
  const conversations = CONVERSATIONS.map((messages) => {
    const { ids, mask } = chat.encode({ messages }, true);
    const prompt = [...chat.encodePrompt(messages.slice(0, -1))];
    return { messages, ids: [...ids], mask: [...mask], prompt };
  });
  const { pad_token_id, eos_token_id } = chat;
  return { conversations, pad_token_id, eos_token_id };
}

describe.each(TOKENIZERS)('a stage with a %s tokenizer', (name, layout, make) => {
  it('names template, padding and end of turn in the files of transformers', async () => {
    const chat = chatFormat(await make());
    const files = writeCheckpoint(await stage(layout, chat), { plain: true });
    const { pad_token_id, eos_token_id } = chat;
    expect(json(files, 'config.json')).toMatchObject({ pad_token_id, eos_token_id });
    expect(json(files, 'generation_config.json')).toMatchObject({ pad_token_id, eos_token_id });
    const names = { pad_token: '<|pad|>', eos_token: '<|end|>' };
    expect(json(files, 'tokenizer_config.json')).toMatchObject(names);
    const template = new TextDecoder().decode(files.get('chat_template.jinja'));
    expect(template).toBe(chat.chat_template);
    const folder = process.env.EXPORT_DIR;
    if (!folder) return;
    mkdirSync(join(folder, name), { recursive: true });
    for (const [path, bytes] of files) writeFileSync(join(folder, name, path), bytes);
    writeFileSync(join(folder, name, 'chat_expected.json'), encodeJson(expectedOf(chat)));
  });

  it('comes back with the same settings and ids', async () => {
    const chat = chatFormat(await make());
    const back = readCheckpoint(writeCheckpoint(await stage(layout, chat)));
    expect(parseStage(back.stage)).toEqual(defaultStage());
    const { chat_template = null, pad_token_id, eos_token_id, bos_token_id } = back;
    expect({ pad_token_id, eos_token_id }).toEqual({
      pad_token_id: chat.pad_token_id,
      eos_token_id: chat.eos_token_id,
    });
    const tokens = { pad_token_id, eos_token_id, bos_token_id };
    const again = chatFormat(await importTokenizer(back.tokenizer), chat_template, tokens);
    expect(expectedOf(again)).toEqual(expectedOf(chat));
  });
});

describe('a folder made elsewhere', () => {
  const files = async (change: Record<string, unknown>) => {
    const chat = chatFormat(byteTokenizer());
    const own = writeCheckpoint(await stage('llama', chat), { plain: true });
    for (const path of ['training_state.json', 'stage.json', 'chat_template.jinja', 'lineage.json'])
      own.delete(path);
    const config = { eos_token: '<|end|>', pad_token: { content: '<|pad|>' }, ...change };
    own.set('tokenizer_config.json', encodeJson(config));
    const {
      eos_token_id: _eos,
      pad_token_id: _pad,
      ...model
    } = json(own, 'config.json') as object & {
      eos_token_id: number;
      pad_token_id: number;
    };
    own.set('config.json', encodeJson({ ...model, eos_token_id: 256, pad_token_id: null }));
    return own;
  };

  it('has its template in the file or under the key that transformers 4 wrote', async () => {
    const legacy = readCheckpoint(await files({ chat_template: 'T' }));
    expect(legacy.chat_template).toBe('T');
    const named = [
      { name: 'tool_use', template: 'U' },
      { name: 'default', template: 'T' },
    ];
    expect(readCheckpoint(await files({ chat_template: named })).chat_template).toBe('T');
    const both = await files({ chat_template: 'T' });
    both.set('chat_template.jinja', new TextEncoder().encode('J'));
    expect(readCheckpoint(both).chat_template).toBe('J');
  });

  it('with a template ends turns with the end token of its tokenizer', async () => {
    const chat = readCheckpoint(await files({ chat_template: 'T' }));
    expect(chat.eos_token_id).toBe(258);
    expect(chat.pad_token_id).toBe(257);
    expect(readCheckpoint(await files({})).eos_token_id).toBe(256);
  });

  it('opens without what cannot be read of its conversations', async () => {
    const all = await files({});
    all.set('tokenizer_config.json', new TextEncoder().encode('{'));
    const state = readCheckpoint(all);
    expect(state.chat_template).toBeUndefined();
    expect(state.notes.at(-1)).toMatch(/^tokenizer_config.json is damaged: .* It was left out\.$/);
  });
});
