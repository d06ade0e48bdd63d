/** Generation on the engine on the processor, compared with the host's sampling. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode, startBackend, tensorCount } from '../backend/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import type { DecodeOptions } from './decoder.ts';
import { HostDecoder } from './host_decoder.ts';
import {
  collect,
  generatedIds,
  idsByRow,
  llama,
  makeModel,
  options,
  prompts,
  type TestedModel,
  wideHeads,
} from './testing_generation.ts';

const MODELS = { gpt2: {}, llama, 'heads of their own width': wideHeads } as const;

/** Every option of the sampler at once, and each that changes the order of tokens. */
const SAMPLING: Record<string, Partial<DecodeOptions>> = {
  'the whole vocabulary': {},
  greedy: { temperature: 0 },
  temperature: { temperature: 0.6 },
  'top-k': { top_k: 5 },
  'top-p': { top_p: 0.8 },
  'min-p': { min_p: 0.05 },
  'all options': { temperature: 1.3, top_k: 15, top_p: 0.9, min_p: 0.01, vocab_limit: 19 },
};

/** What the host samples from the logits of the engine, or of tfjs's plain JavaScript. */
async function idsOfHost(
  model: TestedModel,
  changes: Partial<DecodeOptions> = {},
): Promise<number[][]> {
  const host = await HostDecoder.create(model.source);
  const ids = await idsByRow(prompts.length, host.decode(prompts, { ...options, ...changes }));
  host.dispose();
  return ids;
}

/** By name of the model; on tfjs's plain JavaScript backend. */
const inPlainJavaScript = new Map<string, number[][]>();

beforeAll(async () => {
  await startBackend('cpu');
  for (const [name, config] of Object.entries(MODELS)) {
    const model = makeModel(config);
    inPlainJavaScript.set(name, await idsOfHost(model));
    model.dispose();
  }
  await useBuildsFromFiles();
  await startBackend('wasm');
});
afterEach(() => setProgramMode('replay'));

describe.each(Object.entries(MODELS))('the decoder on the processor, %s', (name, config) => {
  it('generates what plain JavaScript does, past the context and up to a stop token', async () => {
    const before = tensorCount();
    const model = makeModel(config);
    const generator = await model.generator();
    const expected = inPlainJavaScript.get(name) ?? [];
    const actual = await generatedIds(generator, prompts);
    expect(actual).toEqual(expected);
    expect(actual.map((ids) => ids.length)).toEqual([16, 16, 16, 16, 16]);
    expect(new Set(actual.flat()).size).toBeGreaterThan(8);
    const stop_id = expected[0]?.[9] ?? -1;
    const stopped = expected.map((ids) =>
      ids.includes(stop_id) ? ids.slice(0, ids.indexOf(stop_id) + 1) : ids,
    );
    expect(await generatedIds(generator, prompts, { stop_id })).toEqual(stopped);
    generator.dispose();
    model.dispose();
    expect(tensorCount()).toBe(before);
  });

  it.each(Object.entries(SAMPLING))('chooses the tokens that the host does: %s', async (_, how) => {
    const model = makeModel(config);
    const generator = await model.generator();
    const ids = await generatedIds(generator, prompts, how);
    expect(ids).toEqual(await idsOfHost(model, how));
    expect(new Set(ids.flat()).size).toBeGreaterThan(2);
    generator.dispose();
    model.dispose();
  });
});

describe('the decoder on the processor', () => {
  it('generates the same alone, op by op, and after it was left', async () => {
    const model = makeModel();
    const generator = await model.generator();
    const together = await generatedIds(generator, prompts);
    for await (const { id } of generator.generate([5], options)) if (id >= 0) break;
    for (const [row, prompt] of prompts.entries())
      expect(await generatedIds(generator, [prompt])).toEqual([together[row]]);
    setProgramMode('op_by_op');
    const opByOp = await model.generator();
    expect(await generatedIds(opByOp, prompts)).toEqual(together);
    opByOp.dispose();
    generator.dispose();
    model.dispose();
  });

  it('reports the probability of each token and of its rivals, most likely first', async () => {
    const model = makeModel();
    const generator = await model.generator();
    const greedy = { ...options, temperature: 0, max_new_tokens: 5 };
    for (const { id, probability, rivals } of await collect(generator.generate([3, 1], greedy))) {
      const shares = [probability, ...rivals.map((rival) => rival.probability)];
      expect(rivals.map((rival) => rival.id)).not.toContain(id);
      expect(shares).toEqual([...shares].sort((a, b) => b - a));
      expect(shares.every((share) => share > 0 && share < 1)).toBe(true);
    }
    generator.dispose();
    model.dispose();
  });

  it('runs one list of commands for a token', async () => {
    const model = makeModel();
    const generator = await model.generator();
    const { kernels, execute } = await generator.step(1);
    expect(execute).not.toBeNull();
    expect(kernels.slice(-2)).toEqual(['sample_token', 'record_token']);
    generator.dispose();
    model.dispose();
  });
});
