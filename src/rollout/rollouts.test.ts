/** Rollouts on the engine on the processor and in plain JavaScript. */
import { beforeAll, describe, expect, it } from 'vitest';
import { readback, submit, tensorCount } from '../backend/index.ts';
import { logitsProgram, type ModelStores, writeBatch } from '../model/index.ts';
import { startEngine, useBuildsFromFiles } from '../testing/node_engine.ts';
import { startTested } from '../testing/start_once.ts';
import { Rollouts } from './rollouts.ts';
import {
  disposeStores,
  largestRatioError,
  makeStores,
  MODELS,
  PROMPTS,
  REQUEST,
  trainedLogps,
  VOCAB,
} from './testing_rollouts.ts';

const SIZES = { rows: PROMPTS.length, prompt_length: 7, max_new_tokens: 9 };

const rolloutsOf = ({ model, weights, rotary }: ModelStores, sizes = SIZES): Promise<Rollouts> =>
  Rollouts.create({ model, weights, rotary }, sizes);

describe.each(['cpu', 'processor'] as const)('rollouts on %s', (backend) => {
  beforeAll(async () => {
    if (backend === 'processor') await useBuildsFromFiles();
    await startTested(backend);
  });

  it.each(Object.entries(MODELS))(
    'have the log-probabilities of the training programs: %s',
    async (_, config) => {
      const before = tensorCount();
      const stores = makeStores(config);
      const rollouts = await rolloutsOf(stores);
      for (const temperature of [0, 0.6, 1, 1.7]) {
        const made = await rollouts.generate({ ...REQUEST, temperature });
        const trained = await trainedLogps(stores, made, temperature || 1);
        const error = largestRatioError(made, trained);
        console.log(`${backend}, temperature ${temperature}: |ratio - 1| <= ${error}`);
        expect(error).toBeLessThan(1e-3);
        expect(made.flatMap(({ ids }) => [...ids]).length).toBeGreaterThan(15);
      }
      rollouts.dispose();
      disposeStores(stores);
      expect(tensorCount()).toBe(before);
    },
  );

  it('repeat from their seed, whatever the number of rows at once', async () => {
    const stores = makeStores(MODELS.gpt2);
    const rollouts = await rolloutsOf(stores);
    const first = await rollouts.generate(REQUEST);
    const other = await rollouts.generate({ ...REQUEST, seed: 6 });
    const again = await rollouts.generate(REQUEST);
    const fewer = await rolloutsOf(stores, { ...SIZES, rows: 2 });
    const inBatches = await fewer.generate(REQUEST);
    expect(again).toEqual(first);
    expect(inBatches.map(({ ids }) => ids)).toEqual(first.map(({ ids }) => ids));
    expect(other.map(({ ids }) => ids)).not.toEqual(first.map(({ ids }) => ids));
    // Rows 0 and 4 have the same prompt and draws of their own.
    expect(first[4]?.ids).not.toEqual(first[0]?.ids);
    rollouts.dispose();
    fewer.dispose();
    disposeStores(stores);
  });

  it('end with the stop token or after the tokens that were allowed', async () => {
    const stores = makeStores(MODELS.gpt2);
    const rollouts = await rolloutsOf(stores);
    const free = await rollouts.generate({ ...REQUEST, stop_id: -1 });
    expect(free.map(({ ids, ended }) => [ids.length, ended])).toEqual(
      PROMPTS.map(() => [9, false]),
    );
    const stop_id = free[1]?.ids[4] ?? -1;
    const stopped = await rollouts.generate({ ...REQUEST, stop_id });
    stopped.forEach(({ ids, logps, ended }, row) => {
      const whole = Array.from(free[row]?.ids ?? []);
      const end = whole.indexOf(stop_id);
      expect([...ids]).toEqual(end < 0 ? whole : whole.slice(0, end + 1));
      expect(ended).toBe(end >= 0);
      expect(logps).toHaveLength(ids.length);
    });
    rollouts.dispose();
    disposeStores(stores);
  });

  it('stop where the context ends', async () => {
    const stores = makeStores({ ...MODELS.gpt2, block_size: 8 }, { block_size: 8 });
    const rollouts = await rolloutsOf(stores);
    const made = await rollouts.generate({ ...REQUEST, stop_id: -1 });
    // The last token of an answer is not read, so it may lie one beyond the context.
    expect(made.map(({ ids }) => ids.length)).toEqual([7, 2, 8, 5, 7]);
    rollouts.dispose();
    disposeStores(stores);
  });

  it('name a prompt that does not fit', async () => {
    const stores = makeStores(MODELS.gpt2);
    const rollouts = await rolloutsOf(stores, { ...SIZES, prompt_length: 4 });
    await expect(rollouts.generate(REQUEST)).rejects.toThrow('A prompt has 7 tokens');
    rollouts.dispose();
    await expect(rolloutsOf(stores, { ...SIZES, prompt_length: 33 })).rejects.toThrow(
      'A prompt has 33 tokens, and at most 32 fit',
    );
    disposeStores(stores);
  });
});

describe('what a rollout samples', () => {
  beforeAll(startEngine);

  it('follows the softmax at its temperature, below the limit of the vocabulary', async () => {
    const stores = makeStores(MODELS.gpt2);
    const { model, inputs } = stores;
    const program = await logitsProgram(stores);
    const positions = Int32Array.from(inputs.get('ids').dataSync(), (_, i) => i % 16);
    const zeros = new Int32Array(positions.length);
    const ids = zeros.map((_, i) => (i < 2 ? (PROMPTS[0]?.[i] ?? 0) : 0));
    const weights = new Float32Array(zeros.length);
    const batch = { ids, targets: zeros, weights, positions, row_offset: 0 };
    writeBatch(inputs, model, batch, { seed: 0, step: 0 });
    submit([program]);
    const [logits = []] = await readback([program.outputs.logits]);
    const limit = 17;
    const temperature = 0.5;
    const masses = Array.from(logits.slice(VOCAB, VOCAB + limit), (x) => Math.exp(x / temperature));
    const total = masses.reduce((sum, mass) => sum + mass, 0);
    const rows = 4000;
    const rollouts = await rolloutsOf(stores, { rows: 500, prompt_length: 2, max_new_tokens: 1 });
    const made = await rollouts.generate({
      ...REQUEST,
      prompts: Array.from({ length: rows }, () => PROMPTS[0] ?? []),
      temperature,
      max_new_tokens: 1,
      vocab_limit: limit,
    });
    const counts = new Float64Array(VOCAB);
    for (const {
      ids: [id = 0],
    } of made)
      counts[id] = (counts[id] ?? 0) + 1;
    expect(Array.from(counts.slice(limit))).toEqual(Array(VOCAB - limit).fill(0));
    // Pearson's chi-square: its mean is 16 here, and it exceeds 39 once in a thousand seeds.
    const chiSquare = masses.reduce((sum, mass, id) => {
      const expected = (rows * mass) / total;
      return sum + ((counts[id] ?? 0) - expected) ** 2 / expected;
    }, 0);
    console.log(`chi-square of ${rows} draws: ${chiSquare}`);
    expect(chiSquare).toBeLessThan(39);
    rollouts.dispose();
    program.dispose();
    disposeStores(stores);
  });
});
