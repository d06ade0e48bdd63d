/**
 * Imports folders that transformers saved (scripts/check_transformers.py make), and compares every
 * tensor, the logits and the token ids.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { importTokenizer } from '../data/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { exportTensors } from './hf_weights.ts';
import { readExpected } from './testing_expected.ts';
import { forward } from './testing_forward.ts';

const FIXTURES = new URL('./fixtures/', import.meta.url);
const names = existsSync(FIXTURES)
  ? readdirSync(FIXTURES, { withFileTypes: true })
      .map((entry) => entry.name)
      .filter((name) => existsSync(new URL(`${name}/config.json`, FIXTURES)))
  : [];
const filesOf = (name: string) =>
  new Map(
    readdirSync(new URL(`${name}/`, FIXTURES)).map((path) => [
      path,
      new Uint8Array(readFileSync(new URL(`${name}/${path}`, FIXTURES))),
    ]),
  );

it('has a folder of each architecture, number format and layout', () => {
  for (const kind of ['gpt2', 'llama', 'qwen3', 'mistral', 'f32', 'f16', 'bf16', 'sharded'])
    expect(names.filter((name) => name.includes(kind)).length, kind).toBeGreaterThan(0);
});

describe.each(names)('%s', (name) => {
  const files = filesOf(name);
  const expected = readExpected(files);
  const state = readCheckpoint(files);
  const logitsOf = ({ model, parameters }: typeof state) =>
    expected.input_ids.flatMap((ids) => forward(model, parameters, ids).flatMap((row) => [...row]));

  it('exports every tensor of the state dict', () => {
    const exported = exportTensors(state.model, state.parameters);
    const tensors = new Map(exported.map((tensor) => [tensor.name, tensor]));
    for (const [key, wanted] of Object.entries(expected.tensors ?? {})) {
      const source = tensors.get(key);
      const values = new Float32Array(wanted.shape.reduce((product, n) => product * n, 1));
      // A tied head is not exported.
      if (key === 'lm_head.weight' && state.model.tie_word_embeddings) continue;
      expect(source?.shape, key).toEqual(wanted.shape);
      source?.write(values);
      expect(values.at(-1), key).toBe(wanted.last);
      expectClose(
        [values.reduce((a, b) => a + b, 0)],
        [wanted.sum],
        { atol: 1e-9, rtol: 1e-12 },
        key,
      );
    }
    expect(tensors.size).toBeGreaterThan(10);
  });
  it('computes the logits of transformers', () =>
    expectClose(logitsOf(state), expected.logits, { atol: 1e-4, rtol: 0 }));
  it('computes the same logits after our own export', () =>
    expect(logitsOf(readCheckpoint(writeCheckpoint(state)))).toEqual(logitsOf(state)));
  it('encodes to the token ids of transformers', async () => {
    const tokenizer = await importTokenizer(state.tokenizer);
    for (const { text, ids, decoded } of expected.texts) {
      expect([...tokenizer.encode(text)], text).toEqual(ids);
      expect(tokenizer.decode(ids)).toBe(decoded);
    }
  });
});
