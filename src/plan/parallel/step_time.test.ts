import { describe, expect, it } from 'vitest';
import { flopsPerToken } from '../flops.ts';
import type { Mesh } from './mesh.ts';
import { bubbleFraction, rankFlops, stepTime } from './step_time.ts';
import { meshOf, modelOf, trainingWith } from './testing_models.ts';
import type { ParallelTraining } from './training.ts';

const model = modelOf({ n_layer: 8 });
const DEVICE = { flops_per_second: 1e9, step_overhead_ms: 0 };
/** So fast that it takes no time. */
const INSTANT = { bytes_per_second: 1e30, latency_seconds: 0 };

describe('the bubble', () => {
  it.each([
    [2, 4],
    [4, 4],
    [4, 16],
  ])('is (p-1)/(m+p-1) of a step with %d stages and %d micro-batches', (pp, m) => {
    const fraction = (pp - 1) / (m + pp - 1);
    expect(bubbleFraction(meshOf({ pp, schedule: 'gpipe' }), m)).toBe(fraction);
    expect(bubbleFraction(meshOf({ pp, schedule: '1f1b' }), m)).toBe(fraction);
    const training = trainingWith({ gradient_accumulation_steps: m });
    const time = stepTime(model, training, meshOf({ pp }), { device: DEVICE, link: INSTANT });
    expect(time.bubble / (time.bubble + time.compute)).toBeCloseTo(fraction, 9);
  });

  it('is divided by the chunks of the interleaved schedule, relative to the computation', () => {
    const mesh = meshOf({ pp: 4, schedule: 'interleaved', virtual_chunks: 2 });
    const fraction = bubbleFraction(mesh, 8);
    expect(fraction / (1 - fraction)).toBeCloseTo(3 / (2 * 8), 12);
  });
});

describe('the FLOPs of ranks', () => {
  const whole = flopsPerToken(model) * 8 * model.block_size;
  const flops = (mesh: Partial<Mesh>, changes: Partial<ParallelTraining> = {}): number[] =>
    Array.from({ length: mesh.pp ?? 1 }, (_, pp_rank) =>
      rankFlops(model, trainingWith(changes), { mesh: meshOf(mesh), pp_rank }),
    );

  it('add up to those of the model', () => {
    const sum = flops({ dp: 2, tp: 2, pp: 2 }).reduce((a, b) => a + b, 0);
    expect(2 * 2 * sum).toBeCloseTo(whole, 0);
  });

  it('grow by a third of the blocks where these are recomputed', () => {
    const head = 6 * model.vocab_size * model.n_embd * 8 * model.block_size;
    const [full = 0] = flops({}, { recompute_granularity: 'full' });
    expect(full).toBeCloseTo((whole - head) * (4 / 3) + head, 0);
  });
});

describe('a step', () => {
  const seconds = (mesh: Partial<Mesh>, link = INSTANT, changes: Partial<ParallelTraining> = {}) =>
    stepTime(model, trainingWith(changes), meshOf(mesh), { device: DEVICE, link });

  it('takes half as long on two data-parallel ranks whose link takes no time', () => {
    expect(seconds({ dp: 2 }).total).toBeCloseTo(seconds({}).total / 2, 9);
  });

  it('hides the reduction of gradients behind the backward pass as far as it lasts', () => {
    const { compute } = seconds({ dp: 2 });
    const slow = seconds({ dp: 2 }, { bytes_per_second: 1e6, latency_seconds: 0 });
    const bytes = 4 * 1.6e6;
    expect(slow.data).toBeGreaterThan(0);
    expect(slow.data).toBeLessThan(bytes / 1e6);
    expect(slow.data + (2 / 3) * compute).toBeCloseTo(gradientsSent() / 1e6, 6);
  });

  it('waits for every collective of tensor parallelism', () => {
    const link = { bytes_per_second: 1e9, latency_seconds: 1e-3 };
    const { tensor } = seconds({ tp: 2 }, link);
    // Two messages for each of four all-reduces a layer, two at the ends, three of the loss.
    expect(tensor).toBeGreaterThan(2 * (4 * 8 + 2 + 3) * 1e-3);
  });

  const gradientsSent = (): number => {
    const block = 12 * 128 * 128 + 13 * 128;
    return 4 * (8 * block + (model.vocab_size + model.block_size) * 128 + 2 * 128);
  };
});
