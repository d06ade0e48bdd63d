import { describe, expect, it } from 'vitest';
import { meshProblems } from './check.ts';
import { LINKS } from './fleets.ts';
import { type Mesh, worldSize } from './mesh.ts';
import { type Job, planMesh } from './mesh_plan.ts';
import { type Found, searchMeshes } from './search.ts';
import type { Speeds } from './step_time.ts';
import { meshOf, modelOf, published, trainingWith } from './testing_models.ts';
import { RECOMPUTE_GRANULARITIES } from './training.ts';

function linkOf(id: string) {
  const link = LINKS.find((one) => one.id === id);
  if (!link) throw new Error(`There is no link ${id}.`);
  return link;
}

const speeds = (link: string): Speeds => ({
  device: { flops_per_second: 66e12, step_overhead_ms: 0 },
  link: linkOf(link),
});

const SEVEN_B: Job = {
  model: published('llama_2_7b'),
  training: trainingWith({ precision: 'mixed', batch_size: 1, gradient_accumulation_steps: 64 }),
};

/** Least bytes of a rank over all meshes of this many ranks, by trying each size and each choice. */
function leastBytes({ model, training }: Job, ranks: number): number {
  let least = Infinity;
  const sizes = Array.from({ length: ranks }, (_, i) => i + 1).filter((n) => ranks % n === 0);
  const sequences = training.batch_size * training.gradient_accumulation_steps;
  for (const dp of sizes)
    for (const tp of sizes.filter((n) => ranks % (dp * n) === 0))
      for (const zero_stage of [0, 1, 2, 3] as const)
        for (let batch_size = 1; batch_size <= sequences; batch_size *= 2)
          for (const recompute_granularity of RECOMPUTE_GRANULARITIES) {
            const mesh: Mesh = meshOf({ dp, tp, pp: ranks / (dp * tp), zero_stage });
            const gradient_accumulation_steps = sequences / batch_size;
            const batch = { batch_size, gradient_accumulation_steps };
            if (meshProblems(mesh, model, batch).length > 0) continue;
            const changed = { ...training, ...batch, recompute_granularity };
            const { peak_bytes } = planMesh({ model, training: changed }, mesh, speeds('pcie'));
            least = Math.min(least, peak_bytes);
          }
  return least;
}

describe('the search for 7B on cards of 24 GB', () => {
  const limit = 24e9;
  const found = searchMeshes(SEVEN_B, { bytes_per_rank: limit, ranks: 16 }, speeds('pcie'));

  it('finds the fewest ranks that fit', () => {
    const ranks = found.best ? worldSize(found.best.plan.mesh) : 0;
    expect(ranks).toBe(8);
    expect(found.best?.plan.peak_bytes).toBeLessThanOrEqual(limit);
    expect(leastBytes(SEVEN_B, 8)).toBeLessThanOrEqual(limit);
    for (const fewer of [1, 2, 4]) expect(leastBytes(SEVEN_B, fewer)).toBeGreaterThan(limit);
  });

  it('says of each other one why it loses, and each reason holds', () => {
    const best = found.best?.plan;
    if (!best) throw new Error('Nothing was found.');
    expect(new Set(found.others.map(({ loss }) => loss.kind))).toEqual(
      new Set(['slower', 'more_ranks', 'too_large']),
    );
    for (const { candidate, loss } of found.others) checkLoss(candidate.plan, loss, best);
  });

  function checkLoss(
    plan: Found['others'][number]['candidate']['plan'],
    loss: Found['others'][number]['loss'],
    best: NonNullable<Found['best']>['plan'],
  ): void {
    switch (loss.kind) {
      case 'slower':
        expect(worldSize(plan.mesh)).toBe(worldSize(best.mesh));
        expect(loss.times).toBeGreaterThanOrEqual(1);
        expect(plan.time[loss.most]).toBeGreaterThanOrEqual(best.time[loss.most]);
        break;
      case 'more_ranks':
        expect(worldSize(plan.mesh)).toBeGreaterThan(worldSize(best.mesh));
        expect(plan.peak_bytes).toBeLessThanOrEqual(limit);
        break;
      case 'too_large':
        expect(plan.peak_bytes).toBe(limit + loss.over);
        break;
      default:
        loss satisfies never;
    }
  }
});

it('keeps the sequences of a step, and finds meshes without problems', () => {
  const { best, others } = searchMeshes(
    SEVEN_B,
    { bytes_per_rank: 80e9, ranks: 8 },
    speeds('nvlink'),
  );
  const candidates = [...(best ? [best] : []), ...others.map(({ candidate }) => candidate)];
  for (const { plan, varied } of candidates) {
    expect(varied.batch_size * varied.gradient_accumulation_steps).toBe(64);
    expect(meshProblems(plan.mesh, SEVEN_B.model, varied)).toEqual([]);
  }
});

it('prefers pipeline stages on Wi-Fi, which send least', () => {
  const found = searchMeshes(SEVEN_B, { bytes_per_rank: 24e9, ranks: 8 }, speeds('wifi'));
  expect(found.best?.plan.mesh).toMatchObject({ dp: 1, tp: 1, pp: 8 });
});

it('takes one rank if it is enough', () => {
  const job = { model: modelOf({}), training: trainingWith() };
  const { best } = searchMeshes(job, { bytes_per_rank: 1e9, ranks: 8 }, speeds('wifi'));
  expect(best && worldSize(best.plan.mesh)).toBe(1);
});

it('finds nothing where nothing fits, and tells what comes nearest', () => {
  const { best, others } = searchMeshes(SEVEN_B, { bytes_per_rank: 1e9, ranks: 2 }, speeds('wifi'));
  expect(best).toBeNull();
  expect(others.length).toBeGreaterThan(0);
  for (const { loss } of others) expect(loss.kind).toBe('too_large');
});
