/**
 * Folders that `AutoModelForCausalLM` and `AutoTokenizer` should open, with what they should compute.
 * If EXPORT_DIR is set, they are written there for scripts/check_transformers.py, which runs on a
 * machine that has transformers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { ModelConfig } from '../config/index.ts';
import {
  byteTokenizer,
  tokenizerFromJson,
  trainBpeTokenizer,
  trainChar,
  type Tokenizer,
} from '../data/index.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { readExpected, writeExpected } from './testing_expected.ts';
import { forward } from './testing_forward.ts';
import { LAYOUTS, tinyState } from './testing_states.ts';

const TEXT = 'The fox ran over the hill, and the dog ran after the fox.\nThen they slept.\n';
const TEXTS = ['The fox', 'the dog  ran\nover', ' a hen '];
/**
 * For tokenizers that cover every byte: accents, joined emoji, digits, contractions, unusual spaces
 * and control characters.
 */
const ANY_TEXTS = [
  'naïve café 🦊👩‍🚀',
  "It's 2026,\tisn't it?\r\n\r\n   yes ",
  '\u0000\u00a0中文العربية',
  'x .. y ,z',
];
const T = 12;

type Kind = 'char' | 'byte' | 'bpe';
const tokenizers = new Map<Kind, Tokenizer>();
beforeAll(async () => {
  tokenizers.set('char', trainChar([TEXT]));
  tokenizers.set('byte', byteTokenizer());
  tokenizers.set('bpe', await trainBpeTokenizer([TEXT, TEXT], { vocab_size: 280 }));
});

const cases: [string, Kind, Partial<ModelConfig>, number][] = Object.entries(LAYOUTS)
  .filter(([name]) => !/^gpt2 with (qk_norm|a window)$/.test(name))
  .map(([name, change], i) => [
    name.replaceAll(' ', '_'),
    (['char', 'byte', 'bpe'] as const)[i % 3] ?? 'char',
    { ...change, block_size: T },
    i === 7 ? 5 : 0,
  ]);

it.each(cases)('exports %s with a %s tokenizer', (name, kind, change, padding) => {
  const tokenizer = tokenizers.get(kind);
  if (!tokenizer) return expect.unreachable();
  const base = tinyState(change, 7, tokenizer.vocab_size + padding);
  const state = {
    ...base,
    tokenizer,
    eos_token_id: undefined,
    optimizer: new Map<string, Float32Array>(),
    metrics: undefined,
  };
  const input_ids = [0, 1].map((b) =>
    Array.from({ length: T }, (_, t) => (t * 7 + b * 3 + t * t) % tokenizer.vocab_size),
  );
  const logits = Float32Array.from(
    input_ids.flatMap((ids) =>
      forward(state.model, state.parameters, ids).flatMap((row) => [...row]),
    ),
  );
  const texts = (
    kind === 'char'
      ? TEXTS.filter((text) => [...text].every((character) => TEXT.includes(character)))
      : [...TEXTS, ...ANY_TEXTS]
  ).map((text) => {
    const ids = [...tokenizer.encode(text)];
    return { text, ids, decoded: tokenizer.decode(ids) };
  });
  const expected = { texts, input_ids, logits, shape: [2, T, state.model.vocab_size] };
  const files = new Map([...writeCheckpoint(state, { plain: true }), ...writeExpected(expected)]);

  const back = readCheckpoint(files);
  const again = tokenizerFromJson(back.tokenizer);
  expect(readExpected(files)).toEqual(expected);
  expect(back.parameters).toEqual(state.parameters);
  expect(back.eos_token_id).toBe(tokenizer.eos_token_id);
  for (const { text, ids, decoded } of texts) {
    expect([...again.encode(text)]).toEqual(ids);
    expect(decoded).toBe(text);
  }
  const folder = process.env.EXPORT_DIR;
  if (folder) {
    mkdirSync(join(folder, name), { recursive: true });
    for (const [path, bytes] of files) writeFileSync(join(folder, name, path), bytes);
  }
});
