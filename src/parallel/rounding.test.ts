/**
 * How far rounding grows in 50 steps of the run that `bench/parallel` measures, on the engine in Node.
 * At the preset's learning rate any difference grows about a hundredfold from step 20 to step 25. One
 * flipped bit in the weights of one rank shows how much of the difference between two meshes comes from
 * that growth, and not from the arithmetic of the ranks.
 */
import { beforeAll, expect, test } from 'vitest';
import { PRESETS, type RunConfig } from '../config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../data/index.ts';
import { readAsset } from '../data/fixtures/node.ts';
import { startEngine } from '../testing/node_engine.ts';
import type { TrainerState } from '../train/index.ts';
import { type RanksOptions, trainRanks } from './testing_ranks.ts';

beforeAll(startEngine);

const STEPS = 50;
const FLIPPED = 'transformer.h.1.mlp.c_fc.weight';

async function namesRun(learning_rate: number): Promise<Omit<RanksOptions, 'steps'>> {
  const preset = PRESETS.find(({ id }) => id === 'names');
  if (!preset) throw new Error('There is no preset names.');
  const config: RunConfig = structuredClone(preset.config);
  Object.assign(config.model, { n_layer: 4, n_head: 4, n_embd: 64, dropout: 0.1 });
  Object.assign(config.training, { batch_size: 16, max_iters: STEPS, learning_rate });
  const corpus = await loadCorpus(config.data, { fetchText: readAsset });
  const text = makeSplit(corpus, { val_fraction: config.data.val_fraction });
  const tokenizer = await makeTokenizer(config.tokenizer, text);
  const split = makeTokenSplit(text, tokenizer);
  return { config, split, vocab_size: tokenizer.vocab_size };
}

/** The state with the last bit of one weight flipped. */
function flipped(state: TrainerState): TrainerState {
  const parameters = new Map(state.parameters);
  const values = Float32Array.from(parameters.get(FLIPPED) ?? []);
  new Int32Array(values.buffer).set([(new Int32Array(values.buffer)[300] ?? 0) ^ 1], 300);
  parameters.set(FLIPPED, values);
  return { ...state, parameters };
}

/** Relative differences of the losses from one rank: after one flipped bit, and on two slices. */
async function differencesAt(learning_rate: number): Promise<{ bit: number; tp: number }> {
  const run = await namesRun(learning_rate);
  const { state } = await trainRanks({ ...run, steps: 0 });
  const train = async (changes: Partial<RanksOptions>): Promise<number[]> =>
    (await trainRanks({ ...run, steps: STEPS, from: state, ...changes })).losses;
  const oneRank = await train({});
  const from = (losses: readonly number[]): number =>
    Math.max(...oneRank.map((loss, step) => Math.abs((losses[step] ?? NaN) / loss - 1)));
  const differences = {
    bit: from(await train({ from: flipped(state) })),
    tp: from(await train({ mesh: { tp: 2 } })),
  };
  console.log(`learning rate ${learning_rate}: largest differences ${JSON.stringify(differences)}`);
  return differences;
}

test('tensor parallelism changes losses by at most twice as much as one flipped bit', async () => {
  const { bit, tp } = await differencesAt(4e-3);
  expect(bit).toBeGreaterThan(2e-6);
  expect(tp).toBeLessThan(2 * bit);
});

test('at half the learning rate both stay within the rounding of a loss', async () => {
  const { bit, tp } = await differencesAt(2e-3);
  expect(bit).toBeLessThan(5e-7);
  expect(tp).toBeLessThan(5e-7);
});
