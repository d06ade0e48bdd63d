import { describe, expect, it } from 'vitest';
import { countParameters } from '../parameters.ts';
import type { Mesh, ZeroStage } from './mesh.ts';
import { countRankParameters } from './rank_parameters.ts';
import { adaptersOfRank } from './stage_parameters.ts';
import { LAYOUTS, meshOf, modelOf, trainingWith } from './testing_models.ts';
import { bytesSent, rankTraffic } from './traffic.ts';
import type { ParallelTraining } from './training.ts';

const model = modelOf({ n_layer: 8 });
const parameterBytes = 4 * countParameters(model).total;

const sent = (mesh: Partial<Mesh>, changes: Partial<ParallelTraining> = {}, pp_rank = 0): number =>
  bytesSent(rankTraffic(model, trainingWith(changes), { mesh: meshOf(mesh), pp_rank }));

describe('data parallelism', () => {
  it.each([2, 4, 8])(
    'sends 2(N-1)/N of the gradients, and as much under ZeRO-1 and 2 (N = %d)',
    (dp) => {
      const expected = (2 * (dp - 1) * parameterBytes) / dp;
      for (const zero_stage of [0, 1, 2] as const)
        expect(sent({ dp, zero_stage })).toBeCloseTo(expected, 3);
    },
  );

  it('sends half as much again under ZeRO-3, which gathers parameters twice', () => {
    expect(sent({ dp: 4, zero_stage: 3 })).toBeCloseTo(1.5 * sent({ dp: 4, zero_stage: 0 }), 3);
  });

  it('reduces gradients once a step, but after each micro-batch from ZeRO-2 on or if asked to', () => {
    const times = (zero_stage: ZeroStage, sync_each_batch = false): number => {
      const mesh = { dp: 2, zero_stage, sync_each_batch };
      return sent(mesh, { gradient_accumulation_steps: 4 }) / sent(mesh);
    };
    expect(times(0)).toBe(1);
    expect(times(1)).toBe(1);
    // Of the two halves, gradients are sent four times and parameters once.
    expect(times(2)).toBe(2.5);
    expect(times(3)).toBe(4);
    for (const zero_stage of [0, 1] as const) expect(times(zero_stage, true)).toBe(2.5);
  });

  it('sends half of it in mixed precision', () => {
    expect(sent({ dp: 4 }, { precision: 'mixed' })).toBe(sent({ dp: 4 }) / 2);
  });
});

describe('tensor parallelism', () => {
  const tokens = 8 * model.block_size;
  const activation = 4 * tokens * model.n_embd;
  const statistics = 3 * 4 * tokens;

  it.each([2, 4])('all-reduces four activations a layer, and at both ends (tp = %d)', (tp) => {
    const share = (2 * (tp - 1)) / tp;
    expect(sent({ tp })).toBeCloseTo(share * ((4 * 8 + 2) * activation + statistics), 3);
  });

  it('repeats the two of the forward pass where blocks are recomputed', () => {
    const more = sent({ tp: 2 }, { recompute_granularity: 'full' }) - sent({ tp: 2 });
    expect(more).toBe(2 * 8 * activation);
  });
});

describe('pipeline parallelism', () => {
  const activation = 4 * 8 * model.block_size * model.n_embd;
  const steps = { gradient_accumulation_steps: 4 };
  const embedding = 4 * model.vocab_size * model.n_embd;

  it('sends an activation forward and a gradient back for each micro-batch', () => {
    expect(sent({ pp: 4 }, steps, 1)).toBe(2 * 4 * activation);
    expect(sent({ pp: 4 }, steps, 0)).toBe(4 * activation + embedding);
    expect(sent({ pp: 4 }, steps, 3)).toBe(4 * activation + embedding);
  });

  it('sends as often as there are chunks under the interleaved schedule', () => {
    const mesh = { pp: 4, schedule: 'interleaved', virtual_chunks: 2 } as const;
    expect(sent(mesh, steps, 1)).toBe(2 * 2 * 4 * activation);
    // The chunk with the embedding sends nothing back, and the one with the head nothing on.
    expect(sent(mesh, steps, 0)).toBe(3 * 4 * activation + embedding);
    expect(sent(mesh, steps, 3)).toBe(3 * 4 * activation + embedding);
  });
});

it.each(LAYOUTS)('sends nothing from one rank of %s', (_name, one) => {
  expect(rankTraffic(one, trainingWith(), { mesh: meshOf({}), pp_rank: 0 })).toEqual([]);
});

describe('adapters', () => {
  const adapters = { r: 4, target_modules: 'all-linear' } as const;
  const place = { mesh: meshOf({ dp: 2 }), pp_rank: 0 };
  const adapterBytes = 4 * countRankParameters(adaptersOfRank(model, adapters, place));

  it('are all that is reduced, and all that ZeRO-1 and 2 gather', () => {
    for (const zero_stage of [0, 1, 2] as const)
      expect(sent({ dp: 2, zero_stage }, { adapters })).toBeCloseTo(adapterBytes, 3);
  });

  it('are gathered with the frozen weights under ZeRO-3', () => {
    const expected = adapterBytes / 2 + (parameterBytes + adapterBytes);
    expect(sent({ dp: 2, zero_stage: 3 }, { adapters })).toBeCloseTo(expected, 3);
  });

  it('leave a tied embedding without a gradient to add up', () => {
    const table = 4 * model.vocab_size * model.n_embd;
    expect(sent({ pp: 2 }) - sent({ pp: 2 }, { adapters })).toBe(table);
  });
});
