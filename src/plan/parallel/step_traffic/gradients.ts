/** What a rank sends to add up gradients and to spread what was updated. */
import type { Mesh } from '../mesh.ts';
import { FLOAT, gatheredBytes, type StepTraffic } from './passes.ts';
import { type RankTensor, sumOfValues } from './rank_tensors.ts';

export interface GradientRun {
  mesh: Mesh;
  /** Parameters of this rank that train. */
  trained: readonly RankTensor[];
  /** Micro-batches of a step. */
  microbatches: number;
}

/**
 * ZeRO-2 and 3 reduce gradients after each micro-batch, as `sync_each_batch` does; otherwise once a
 * step. ZeRO-1 and 2 gather the updated parameters, and without ZeRO the sums of gradients are gathered
 * in their place (Rajbhandari et al. 2020).
 */
export function gradientTraffic(run: GradientRun): StepTraffic[] {
  const { mesh, trained } = run;
  const { zero_stage, dp } = mesh;
  const once = gatheredBytes(sumOfValues(trained), dp);
  const traffic: StepTraffic[] = [
    { kind: 'reduce_scatter', what: 'gradients', bytes: reductions(run) * once },
    ...partialGradients(run),
  ];
  if (zero_stage === 3) return traffic;
  const what = zero_stage === 0 ? 'sums of gradients' : 'updated parameters';
  return [...traffic, { kind: 'all_gather', what, bytes: once }];
}

function reductions({ mesh, microbatches }: GradientRun): number {
  const { zero_stage, sync_each_batch = false, pp } = mesh;
  return zero_stage >= 2 || (sync_each_batch && pp === 1) ? microbatches : 1;
}

/** Parameters that are whole on every rank of tensor parallelism, which each compute a part. */
function partialGradients(run: GradientRun): StepTraffic[] {
  const values = sumOfValues(run.trained.filter((one) => one.partial_gradient));
  const bytes = reductions(run) * (run.mesh.tp - 1) * FLOAT * values;
  return [{ kind: 'all_reduce', what: 'partial gradients under tensor parallelism', bytes }];
}
