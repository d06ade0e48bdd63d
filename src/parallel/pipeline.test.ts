/** Pipelines against one rank, on the engine in Node. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Mesh, ONE_RANK, type PipelineSchedule, worldSize } from '../common/index.ts';
import { parseStage } from '../config/stage/index.ts';
import { pretrain } from '../objectives/index.ts';
import { reward } from '../objectives/reward.ts';
import { sft } from '../objectives/sft.ts';
import { pipelineActions } from '../plan/parallel/pipeline_schedule.ts';
import { startEngine } from '../testing/node_engine.ts';
import { pairsData, TOY_ROW_LENGTH, TOY_VOCAB, toyPairs } from '../testing/toy_pairs.ts';
import { buildRank } from './rank_build.ts';
import {
  type Changes,
  expectSameBits,
  expectWithin,
  patternSplit,
  type RanksRun,
  smallConfig,
  trainRanks,
  VOCAB,
} from './testing_ranks.ts';
import { connectRanks } from './transport/local.ts';

beforeAll(startEngine);

const STEPS = 20;

/** Four layers with dropout and four micro-batches of two rows. */
function configOf(model: Changes['model'], training: Changes['training'] = {}) {
  return smallConfig({
    model: { n_layer: 4, tie_word_embeddings: false, ...model },
    training: { batch_size: 2, gradient_accumulation_steps: 4, grad_clip: 0.5, ...training },
  });
}

describe('an untied GPT-2', () => {
  const config = configOf({});
  const train = (mesh: Partial<Mesh>) => trainRanks({ config, steps: STEPS, mesh });
  let oneRank: RanksRun;
  beforeAll(async () => {
    oneRank = await train({});
  });

  test.each([
    { pp: 2, schedule: '1f1b' },
    { pp: 4, schedule: '1f1b' },
    { pp: 2, schedule: 'gpipe' },
    { pp: 2, schedule: 'interleaved', virtual_chunks: 2 },
  ] as const)('matches one rank bit for bit on $pp stages with $schedule', async (mesh) => {
    expect(oneRank.losses.at(-1)).toBeLessThan((oneRank.losses[0] ?? 0) - 0.3);
    expectSameBits(oneRank, await train(mesh));
  });

  test('two pipelines match two ranks of data parallelism bit for bit, also with ZeRO-1', async () => {
    const two = await train({ dp: 2 });
    expectSameBits(two, await train({ dp: 2, pp: 2 }));
    expectSameBits(two, await train({ dp: 2, pp: 2, zero_stage: 1 }));
  });

  test('tensor parallelism in two stages matches it in one bit for bit, and all kinds combine', async () => {
    const sliced = await train({ tp: 2 });
    expectSameBits(sliced, await train({ tp: 2, pp: 2, schedule: 'gpipe' }));
    expectWithin(1e-5, oneRank, await train({ dp: 2, tp: 2, pp: 2 }), 'dp 2 x tp 2 x pp 2');
  });

  test('one rank continues a checkpoint of a pipeline, and a pipeline one of one rank', async () => {
    const half = { config, steps: STEPS / 2 };
    const first = await trainRanks({ ...half, mesh: { pp: 4 } });
    const alone = await trainRanks({ ...half, from: first.state });
    expect([...first.losses, ...alone.losses]).toEqual(oneRank.losses);
    const begun = await trainRanks(half);
    const staged = await trainRanks({ ...half, from: begun.state, mesh: { pp: 2 } });
    expect(staged.state.parameters).toEqual(oneRank.state.parameters);
    expect(staged.state.optimizer).toEqual(oneRank.state.optimizer);
  });
});

test('a Llama whose activations are recomputed matches one rank bit for bit', async () => {
  const config = configOf(
    { layout: 'llama', activation_function: 'silu', n_kv_head: 2, qk_norm: true },
    { activation_checkpointing: true, optimizer: 'muon' },
  );
  const run = { config, steps: STEPS, evaluate: true };
  const oneRank = await trainRanks(run);
  const two = await trainRanks({ ...run, mesh: { pp: 2 } });
  expectSameBits(oneRank, two);
  expect(two.evaluation).toEqual(oneRank.evaluation);
  expect(oneRank.evaluation['val/loss']).toBeGreaterThan(0);
});

test('a tied embedding on both ends of a pipeline matches that of one rank', async () => {
  const config = configOf({ tie_word_embeddings: true });
  const oneRank = await trainRanks({ config, steps: STEPS });
  expectWithin(1e-5, oneRank, await trainRanks({ config, steps: STEPS, mesh: { pp: 2 } }), 'tied');
  const mesh = { dp: 2, pp: 2, zero_stage: 1 } as const;
  expectWithin(1e-5, oneRank, await trainRanks({ config, steps: STEPS, mesh }), 'tied, ZeRO-1');
});

test('a stage holds as many micro-batches under 1F1B as stages follow it, and all under GPipe', async () => {
  const bytes = (schedule: PipelineSchedule, micro_batches: number) =>
    ownBytes({ ...ONE_RANK, pp: 4, schedule }, micro_batches);
  const single = await bytes('gpipe', 1);
  const double = await bytes('gpipe', 2);
  const gpipe = await bytes('gpipe', 8);
  const alternating = await bytes('1f1b', 8);
  for (let rank = 0; rank < 4; rank++) {
    const ofOne = at(double, rank) - at(single, rank);
    expect(ofOne).toBeGreaterThan(1000);
    expect(at(gpipe, rank) - at(single, rank)).toBe(7 * ofOne);
    expect(at(alternating, rank) - at(single, rank)).toBe((3 - rank) * ofOne);
  }
});

const at = (values: readonly number[], index: number): number => values[index] ?? NaN;

/** Bytes that the programs of each rank hold alone. */
async function ownBytes(mesh: Mesh, micro_batches: number): Promise<number[]> {
  const config = configOf({}, { gradient_accumulation_steps: micro_batches });
  const options = { objective: pretrain, split: patternSplit(), vocab_size: VOCAB, config, mesh };
  const ranks = await Promise.all(
    connectRanks(worldSize(mesh)).map((link) => buildRank({ ...options, link })),
  );
  return ranks.map(({ microBatches }) => {
    const bytes = microBatches.ownBytes;
    microBatches.dispose();
    return bytes;
  });
}

test('records the passes of its schedule, and sends activations and gradients once', async () => {
  const shape = {
    schedule: 'interleaved',
    stages: 2,
    micro_batches: 4,
    virtual_chunks: 2,
  } as const;
  const config = configOf({});
  const mesh = { pp: 2, schedule: 'interleaved', virtual_chunks: 2 } as const;
  const { trainers } = await trainRanks({ config, steps: 1, mesh });
  const recorded = trainers.map(({ recorder }) => recorder.take());
  const passes = recorded.map(({ spans }) =>
    spans.flatMap(({ kind, micro_batch, chunk }) => {
      const isPass = kind === 'forward' || kind === 'backward';
      return isPass ? [{ kind, micro_batch, chunk }] : [];
    }),
  );
  expect(passes).toEqual(pipelineActions(shape));
  // Outputs of both chunks, and the gradient of the input of the second one.
  const { batch_size } = config.training;
  const activation = 4 * batch_size * config.model.block_size * config.model.n_embd;
  expect(recorded[0]?.bytes.send_recv).toBe(3 * shape.micro_batches * activation);
});

test('refuses an impossible pipeline with a sentence that says what to set', async () => {
  const refusal = (mesh: Partial<Mesh>) => trainRanks({ config: configOf({}), steps: 1, mesh });
  await expect(refusal({ pp: 3 })).rejects.toThrow('set pp to 2 or 4');
  await expect(refusal({ dp: 2, pp: 2, zero_stage: 3 })).rejects.toThrow('set zero_stage to 1');
});

describe('after pretraining', () => {
  const pairs = toyPairs(300, 1);
  const data = pairsData(pairs.slice(50), pairs.slice(0, 50), TOY_ROW_LENGTH);
  const chosen = (list: readonly (typeof pairs)[number][]) => list.map((pair) => pair.chosen);
  const examples = { train: chosen(data.pairs.train), val: chosen(data.pairs.val) };

  test.each([
    { objective: reward, stage: { objective: 'reward' } },
    { objective: sft, stage: { objective: 'sft', sft: { packing: true } } },
  ] as const)('$objective.name matches one rank bit for bit', async ({ objective, stage }) => {
    const run = {
      ...{ objective, stage: parseStage(stage), data: { ...data, examples } },
      ...{ config: configOf({ block_size: 16 }), vocab_size: TOY_VOCAB, steps: 5, evaluate: true },
    };
    const oneRank = await trainRanks(run);
    const two = await trainRanks({ ...run, mesh: { pp: 2 } });
    expectSameBits(oneRank, two);
    expect(two.state.objective_tensors).toEqual(oneRank.state.objective_tensors);
    expect(two.evaluation).toEqual(oneRank.evaluation);
    expect(oneRank.evaluation['val/loss']).toBeGreaterThan(0);
  });
});
