/**
 * Generation by programs that feed themselves, compared with the host's, which reads the logits of
 * each token back; on WebGPU. `generate.test.ts` has the same on the processor.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gpuMemory, setProgramMode, startBackend, tensorCount } from '../backend/index.ts';
import { withReferences } from '../ops/index.ts';
import type { Generator } from './generate.ts';
import { collect, generatedIds, llama, makeModel, options, prompts } from './testing_generation.ts';

const gpuErrors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', {
    lost: (reason) => gpuErrors.push(reason),
    error: (message) => gpuErrors.push(message),
  });
});
afterEach(() => {
  setProgramMode('replay');
  expect(gpuErrors.splice(0)).toEqual([]);
});

describe.each([
  ['gpt2', {}],
  ['llama', llama],
] as const)('the decoder on the GPU, %s', (_, config) => {
  it('generates the same tokens as the host, past the context and up to a stop token', async () => {
    const model = makeModel(config);
    const host = await withReferences(() => model.generator());
    const generator = await model.generator();
    const expected = await withReferences(() => generatedIds(host, prompts));
    const actual = await generatedIds(generator, prompts);
    expect(actual).toEqual(expected);
    expect(actual.map((ids) => ids.length)).toEqual([16, 16, 16, 16, 16]);
    expect(new Set(actual.flat()).size).toBeGreaterThan(8);
    const stop_id = expected[0]?.[9] ?? -1;
    const stopped = expected.map((ids) =>
      ids.includes(stop_id) ? ids.slice(0, ids.indexOf(stop_id) + 1) : ids,
    );
    expect(await generatedIds(generator, prompts, { stop_id })).toEqual(stopped);
    expect(new Set(stopped.map((ids) => ids.length)).size).toBeGreaterThan(1);
    host.dispose();
    generator.dispose();
    model.dispose();
  });
});

describe('rows of the model beyond the vocabulary', () => {
  const vocab_limit = 9;

  /** The ids that are chosen or listed as rivals, by row. */
  async function mentionedIds(generator: Generator, limit?: number): Promise<number[][]> {
    const starts = [[3, 1], [8]];
    const mentioned = starts.map((): number[] => []);
    const limited = { ...options, vocab_limit: limit };
    for await (const { row, choice } of generator.generateRows(starts, limited))
      mentioned[row]?.push(choice.id, ...choice.rivals.map(({ id }) => id));
    return mentioned;
  }

  it('are never chosen or listed, on the GPU or on the host', async () => {
    const model = makeModel();
    const onGpu = await model.generator();
    const onHost = await withReferences(() => model.generator());
    const mentioned = await mentionedIds(onGpu, vocab_limit);
    expect(Math.max(...mentioned.flat())).toBeLessThan(vocab_limit);
    expect(await withReferences(() => mentionedIds(onHost, vocab_limit))).toEqual(mentioned);
    expect(Math.max(...(await mentionedIds(onGpu)).flat())).toBeGreaterThanOrEqual(vocab_limit);
    onGpu.dispose();
    onHost.dispose();
    model.dispose();
  });
});

describe('the decoder on the GPU', () => {
  it('generates each row independently of the others', async () => {
    const model = makeModel();
    const generator = await model.generator();
    const together = await generatedIds(generator, prompts);
    const alone: number[][] = [];
    for (const prompt of prompts) {
      const choices = await collect(generator.generate(prompt, options));
      alone.push(choices.map((choice) => choice.id));
    }
    expect(together).toEqual(alone);
    generator.dispose();
    model.dispose();
  });

  it('reports the probability of each token and of its rivals, most likely first', async () => {
    const model = makeModel();
    const generator = await model.generator();
    const greedy = { ...options, temperature: 0, max_new_tokens: 5 };
    const choices = await collect(generator.generate([3, 1], greedy));
    expect(choices).toHaveLength(5);
    for (const { id, probability, rivals } of choices) {
      const shares = [probability, ...rivals.map((rival) => rival.probability)];
      expect(rivals.map((rival) => rival.id)).not.toContain(id);
      expect(shares).toEqual([...shares].sort((a, b) => b - a));
      expect(shares.every((share) => share > 0 && share < 1)).toBe(true);
    }
    generator.dispose();
    model.dispose();
  });

  it('can be left at any token, and generates the same op by op', async () => {
    const model = makeModel();
    const generator = await model.generator();
    const whole = await generatedIds(generator, [[5]]);
    const some: number[] = [];
    for await (const { id } of generator.generate([5], options)) {
      some.push(id);
      if (some.length === 7) break;
    }
    expect(some).toEqual(whole[0]?.slice(0, 7));
    expect(await generatedIds(generator, [[5]])).toEqual(whole);
    setProgramMode('op_by_op');
    const opByOp = await model.generator();
    expect(await generatedIds(opByOp, [[5]])).toEqual(whole);
    generator.dispose();
    opByOp.dispose();
    model.dispose();
  });

  it('frees all memory, and needs 19 dispatches for a token of two blocks', async () => {
    const memory = () => ({ tensors: tensorCount(), bytes: gpuMemory().allocated });
    const before = memory();
    const model = makeModel();
    const generator = await model.generator();
    await generatedIds(generator, prompts);
    const during = memory();
    await generatedIds(generator, prompts.toReversed());
    expect(memory()).toEqual(during);
    // Seven per block; embedding, norm, head, sampling and recording.
    expect((await generator.step(1)).dispatches).toBe(2 * 7 + 5);
    generator.dispose();
    model.dispose();
    expect(memory()).toEqual(before);
  });

  it.each([0, 1])('generates no more than %i tokens if asked to', async (max_new_tokens) => {
    const model = makeModel();
    const generator = await model.generator();
    const [ids = []] = await generatedIds(generator, [[5]], { max_new_tokens });
    expect(ids).toHaveLength(max_new_tokens);
    generator.dispose();
    model.dispose();
  });

  it('refuses an empty prompt', async () => {
    const model = makeModel();
    const generator = await model.generator();
    await expect(collect(generator.generate([], options))).rejects.toThrow('at least one token');
    generator.dispose();
    model.dispose();
  });
});
