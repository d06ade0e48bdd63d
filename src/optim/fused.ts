/**
 * Runs a chain as kernels of ours over flat ranges of parameters (ranges.ts). Parameters whose chain
 * has no kernel, such as Muon's matrices, are left to plain.ts.
 */
import { add, concat, sqrt, square, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { TensorStore } from '../backend/index.ts';
import type { Moment } from '../common/index.ts';
import {
  adamUpdate,
  gradNorm,
  run,
  scaledStepResults,
  sgdUpdate,
  stepResults,
  sumOfSquares,
  type UpdateAttrs,
} from '../ops/index.ts';
import { betasOf, maxNorm, type OptimizedParameter } from './describe.ts';
import { type Range, rangesOf, ruleOf } from './ranges.ts';
import { stateOf, type StepEnd, type Update } from './stores.ts';

/** The norm of all gradients, a scalar. Takes two dispatches per chunk. */
export function flatNorm(gradients: TensorStore): Tensor {
  const norms = gradients.chunks.map(({ tensor }) => run(gradNorm, { x: tensor }, {}).norm);
  const [only] = norms;
  if (norms.length === 1 && only) return only;
  return tidy(() => sqrt(norms.map((norm) => square(norm)).reduce((a, b) => add(a, b))));
}

export interface StepResults {
  /** Norm of all gradients, unscaled, before clipping. */
  norm: Tensor;
  /** What gradients are multiplied by to unscale them, 0 on overflow; null without a loss scale. */
  inverse_scale: Tensor | null;
  /** The step's sums, then the norm. */
  results: Tensor;
}

/**
 * The results of a step whose sums are in `sums` [n]; the sums are reset to zero in place. It takes
 * one dispatch per chunk and one more, or two if several chunks have to be joined. A loss scale is
 * advanced, and the bias corrections among the scalars are recomputed without skipped updates.
 */
export function flatResults(
  { chain, stores }: Update,
  sums: Tensor,
  { lossScale = null, squares }: StepEnd,
): StepResults {
  const parts = squares ?? squaresOf(stores.gradients);
  if (!lossScale) return { ...run(stepResults, { parts, sums }, {}), inverse_scale: null };
  const scale = lossScale.store.get('scale');
  const counts = lossScale.store.get('counts');
  const scalars = stores.scalars.get('scalars');
  const attrs = { max_scale: lossScale.max_scale, ...betasOf(chain) };
  return run(scaledStepResults, { parts, sums, scale, counts, scalars }, attrs);
}

/**
 * Updates the parameters that have a kernel, and zeroes their gradients. Returns the parameters that
 * have none.
 */
export function updateFused(
  update: Update,
  norm: Tensor,
  inverse_scale: Tensor,
): OptimizedParameter[] {
  const { chain, parameters, stores } = update;
  for (const range of rangesOf(chain, parameters, stores))
    updateRange(update, range, { norm, inverse_scale });
  return parameters.filter((parameter) => !ruleOf(chain, parameter));
}

/** Partial sums of squares of all gradients [n]. */
function squaresOf(gradients: TensorStore): Tensor {
  const partsOfChunks = gradients.chunks.map(
    ({ tensor }) => run(sumOfSquares, { x: tensor }, {}).parts,
  );
  const [only] = partsOfChunks;
  return partsOfChunks.length === 1 && only ? only : concat(partsOfChunks);
}

function updateRange(
  { chain, stores }: Update,
  { first, last, rule, decayed }: Range,
  step: { norm: Tensor; inverse_scale: Tensor },
): void {
  const moment = (name: Moment): Tensor =>
    stateOf(stores, name).flat(`${name}.${first}`, `${name}.${last}`);
  const inputs = {
    parameter: stores.parameters.flat(first, last),
    gradient: stores.gradients.flat(first, last),
    norm: step.norm,
    inverse_scale: step.inverse_scale,
    scalars: stores.scalars.get('scalars'),
  };
  const { weight_decay, coupled } = rule;
  const attrs: UpdateAttrs = { max_norm: maxNorm(chain), weight_decay, coupled, decayed };
  switch (rule.kind) {
    case 'adam': {
      const { beta1, beta2, epsilon } = rule;
      const moments = { exp_avg: moment('exp_avg'), exp_avg_sq: moment('exp_avg_sq') };
      run(adamUpdate, { ...inputs, ...moments }, { ...attrs, beta1, beta2, epsilon });
      break;
    }
    case 'sgd': {
      const { momentum } = rule;
      const momentum_buffer = moment('momentum_buffer');
      run(sgdUpdate, { ...inputs, momentum_buffer }, { ...attrs, momentum });
      break;
    }
    default:
      rule satisfies never;
  }
}
