/**
 * Generation by programs that feed themselves against the host's path, which reads the logits of
 * each token back.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gpuMemory, setProgramMode, startBackend, Store, tensorCount } from '../backend/index.ts';
import { defaultConfig, type ModelConfig, resolveModel } from '../config/index.ts';
import { withReferences } from '../ops/index.ts';
import type { DecodeOptions } from './decoder.ts';
import { Generator } from './generate.ts';
import { initialValues, listParameters, rotaryTable } from './index.ts';

const VOCAB = 23;
const T = 8;
const sizes: Partial<ModelConfig> = { n_layer: 2, n_head: 2, n_embd: 16, block_size: T };
const options: DecodeOptions = {
  temperature: 1,
  top_k: 0,
  top_p: 1,
  min_p: 0,
  sample_seed: 11,
  max_new_tokens: 24,
};
/** Shorter than the context, longer, as long, one token, and all of its half. */
const prompts = [
  [3, 1],
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  [8, 7, 6, 5, 4, 3, 2, 1],
  [22],
  [4, 4, 4, 4],
];

function build(config: Partial<ModelConfig> = {}) {
  const model = resolveModel({ ...defaultConfig().model, ...sizes, ...config }, VOCAB);
  const parameters = listParameters(model);
  const weights = new Store('weights', parameters);
  const rotary = rotaryTable(model);
  // Ten times the usual size, so that what comes before decides what comes next.
  for (const p of parameters)
    weights.write(
      p.name,
      initialValues(p, 7).map((v) =>
        p.name.includes('norm') || p.name.includes('ln_') ? v : 10 * v,
      ),
    );
  return {
    model,
    weights,
    rotary,
    dispose: () => {
      weights.dispose();
      rotary?.dispose();
    },
  };
}

/** Ids of each row. */
async function tokens(
  generator: Generator,
  starts: readonly (readonly number[])[],
  changes: Partial<DecodeOptions> = {},
): Promise<number[][]> {
  const rows = starts.map((): number[] => []);
  for await (const { row, choice } of generator.generateRows(starts, { ...options, ...changes }))
    rows[row]?.push(choice.id);
  return rows;
}
const collect = async <T>(from: AsyncGenerator<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const x of from) all.push(x);
  return all;
};

const errors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', { lost: (r) => errors.push(r), error: (m) => errors.push(m) });
});
afterEach(() => {
  setProgramMode('replay');
  expect(errors.splice(0)).toEqual([]);
});

describe.each([
  ['gpt2', {}],
  [
    'llama',
    {
      layout: 'llama',
      n_kv_head: 1,
      activation_function: 'silu',
      qk_norm: true,
      sliding_window: 5,
    },
  ],
] as const)('%s', (_layout, config) => {
  it('makes the same tokens as the host does, over several contexts, with a stop token and without', async () => {
    const m = build(config);
    const host = await withReferences(() => Generator.create(m.model, m.weights, m.rotary));
    const generator = await Generator.create(m.model, m.weights, m.rotary);
    const expected = await withReferences(() => tokens(host, prompts));
    const got = await tokens(generator, prompts);
    expect(got).toEqual(expected);
    expect(got.map((ids) => ids.length)).toEqual([24, 24, 24, 24, 24]);
    expect(new Set(got.flat()).size).toBeGreaterThan(8);
    const stop_id = expected[0]?.[17] ?? -1;
    const stopped = expected.map((ids) =>
      ids.includes(stop_id) ? ids.slice(0, ids.indexOf(stop_id) + 1) : ids,
    );
    expect(await tokens(generator, prompts, { stop_id })).toEqual(stopped);
    expect(new Set(stopped.map((ids) => ids.length)).size).toBeGreaterThan(1);
    for (const g of [host, generator, m]) g.dispose();
  });
});

describe('a row', () => {
  it('does not depend on the others, and probabilities come with its tokens', async () => {
    const m = build();
    const generator = await Generator.create(m.model, m.weights, m.rotary);
    const greedy = { ...options, temperature: 0, max_new_tokens: 5 };
    const together = await tokens(generator, prompts);
    const alone: number[][] = [];
    for (const prompt of prompts)
      alone.push((await collect(generator.generate(prompt, options))).map((c) => c.id));
    expect(together).toEqual(alone);
    for (const { id, probability, rivals } of await collect(generator.generate([3, 1], greedy))) {
      const shares = [probability, ...rivals.map((r) => r.probability)];
      expect(rivals.map((r) => r.id)).not.toContain(id);
      expect(shares).toEqual([...shares].sort((a, b) => b - a));
      expect(shares.every((p) => p > 0 && p < 1)).toBe(true);
    }
    for (const g of [generator, m]) g.dispose();
  });

  it('may be left at any token, and op by op is the same', async () => {
    const m = build();
    const generator = await Generator.create(m.model, m.weights, m.rotary);
    const whole = await tokens(generator, [[5]]);
    const some: number[] = [];
    for await (const { id } of generator.generate([5], options)) {
      some.push(id);
      if (some.length === 7) break;
    }
    expect(some).toEqual(whole[0]?.slice(0, 7));
    expect(await tokens(generator, [[5]])).toEqual(whole);
    setProgramMode('op_by_op');
    const direct = await Generator.create(m.model, m.weights, m.rotary);
    expect(await tokens(direct, [[5]])).toEqual(whole);
    for (const g of [generator, direct, m]) g.dispose();
  });

  it('leaves nothing behind, and few dispatches make a token', async () => {
    const tensors = tensorCount();
    const bytes = gpuMemory().allocated;
    const m = build();
    const generator = await Generator.create(m.model, m.weights, m.rotary);
    await tokens(generator, prompts);
    const during = { tensors: tensorCount(), bytes: gpuMemory().allocated };
    await tokens(generator, prompts.toReversed());
    expect({ tensors: tensorCount(), bytes: gpuMemory().allocated }).toEqual(during);
    // Seven a block; embedding, norm, head, choice and record.
    expect((await generator.step(1)).dispatches).toBe(2 * 7 + 5);
    generator.dispose();
    m.dispose();
    expect({ tensors: tensorCount(), bytes: gpuMemory().allocated }).toEqual({ tensors, bytes });
  });

  it.each([0, 1])('makes %i tokens where so many are asked for', async (max_new_tokens) => {
    const m = build();
    const generator = await Generator.create(m.model, m.weights, m.rotary);
    expect((await tokens(generator, [[5]], { max_new_tokens })).map((ids) => ids.length)).toEqual([
      max_new_tokens,
    ]);
    await expect(collect(generator.generate([], options))).rejects.toThrow('at least one token');
    for (const g of [generator, m]) g.dispose();
  });
});
