/**
 * `step_results` where the loss was multiplied by a scale before the backward pass, so that small
 * gradients do not vanish in halves: the norm is that of the true gradients, and the scale follows
 * what it finds, as PyTorch's GradScaler does. A norm that is no number (an overflow somewhere)
 * leaves the update out and halves the scale; 2000 updates without one double it again, up to where
 * it started. Scales are powers of two, so that nothing is rounded. An update that is left out is
 * none for Adam either (GradScaler does not call optimizer.step): the bias corrections, which the
 * host wrote before it could know, are made anew.
 */
import {
  add,
  concat,
  div,
  equal,
  exp,
  greater,
  maximum,
  minimum,
  mul,
  reshape,
  slice,
  sqrt,
  sub,
  sum,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import { workgroupSum } from '../wgsl/index.ts';
import code from './scaled_step_results.wgsl?raw';
import { scalarAt, scalarOf, SCALARS, WORKGROUP } from './update.ts';

/** Updates without an overflow after which the scale doubles (GradScaler's growth_interval). */
export const GROWTH_INTERVAL = 2000;
/**
 * Adam's betas, of which the bias corrections are made (0: there is no Adam in the chain, and the
 * corrections are 1).
 */
export interface ScalingAttrs {
  max_scale: number;
  beta1: number;
  beta2: number;
}
type In = 'parts' | 'sums' | 'scale' | 'counts' | 'scalars';
type Out = 'norm' | 'inverse_scale' | 'results' | 'sums' | 'scale' | 'counts' | 'scalars';

function oracle(
  { parts, sums, scale, counts, scalars }: Hosts<In>,
  { max_scale, beta1, beta2 }: ScalingAttrs,
): Hosts<Out> {
  const n = sums.data.length;
  const s = at(scale, 0);
  const norm = Math.sqrt(parts.data.reduce((a, b) => a + b, 0)) / s;
  const clean = Number.isFinite(norm);
  const grows = at(counts, 0) + 1 >= GROWTH_INTERVAL;
  const skipped = at(counts, 1);
  const of = (shape: readonly number[], ...values: number[]) => ({
    ...zeros(shape),
    data: Float64Array.from(values),
  });
  const t = Math.max(1, scalarOf(scalars, 'update_number') - skipped);
  const results = zeros([n + 1]);
  results.data.set(sums.data);
  results.data[n] = norm;
  return {
    norm: of([], norm),
    inverse_scale: of([], clean ? 1 / s : 0),
    results,
    sums: zeros([n]),
    scale: of([1], clean ? (grows ? Math.min(2 * s, max_scale) : s) : s / 2),
    counts: of([2], clean && !grows ? at(counts, 0) + 1 : 0, clean ? skipped : skipped + 1),
    scalars: clean
      ? of(
          [SCALARS.length],
          at(scalars, 0),
          at(scalars, 1),
          1 - beta1 ** t,
          Math.sqrt(1 - beta2 ** t),
          at(scalars, 4),
        )
      : scalars,
  };
}

/**
 * 1 - beta^n, n [1]: -(x + x^2 / 2 + ...) with x = n ln(beta) where that is small, since 1 - exp(x)
 * would lose the digits there.
 */
function biasCorrection(beta: number, n: Tensor): Tensor {
  const x = mul(n, Math.max(-100, Math.log(beta)));
  const near = maximum(x, -1);
  let series: Tensor = add(div(near, 12), 1);
  for (let k = 11; k > 1; k--) series = add(mul(div(near, k), series), 1);
  return where(greater(x, -1), mul(near, mul(series, -1)), sub(1, exp(x)));
}

function reference(
  { parts, sums, scale, counts, scalars }: Tensors<In>,
  { max_scale, beta1, beta2 }: ScalingAttrs,
): Tensors<Out> {
  const norm = div(sqrt(sum(parts)), reshape(scale, []));
  const steps = add(slice(counts, [0], [1]), 1);
  const skipped = slice(counts, [1], [1]);
  const grows = equal(steps, GROWTH_INTERVAL);
  // x - x is 0 for every number, and for nothing else.
  const clean = equal(sub(norm, norm), 0);
  const flag = reshape(clean, [1]);
  const t = maximum(sub(scalarAt(scalars, 'update_number'), skipped), 1);
  const corrected = concat([
    slice(scalars, [0], [2]),
    biasCorrection(beta1, t),
    sqrt(biasCorrection(beta2, t)),
    slice(scalars, [4], [1]),
  ]);
  return {
    norm,
    results: concat([sums, reshape(norm, [1])]),
    sums: zerosLike(sums),
    inverse_scale: where(clean, div(1, reshape(scale, [])), 0),
    scale: where(flag, where(grows, minimum(mul(scale, 2), max_scale), scale), mul(scale, 0.5)),
    counts: concat([where(flag, where(grows, 0, steps), 0), where(flag, skipped, add(skipped, 1))]),
    scalars: where(clean, corrected, scalars),
  };
}

function kernel(
  { parts, sums, scale, counts, scalars }: Record<In, Tensor>,
  { max_scale, beta1, beta2 }: ScalingAttrs,
): Tensors<Out> {
  const norm = output([]);
  const inverse_scale = output([]);
  const results = output([sums.size + 1]);
  dispatch({
    name: 'scaled_step_results',
    code: workgroupSum + code,
    constants: { GROWTH_INTERVAL, WORKGROUP },
    writes: [norm, inverse_scale, results],
    updates: [sums, scale, counts, scalars],
    reads: [parts],
    params: [
      ['u32', parts.size],
      ['u32', sums.size],
      ['f32', max_scale],
      ['f32', 1 - beta1],
      ['f32', 1 - beta2],
    ],
    workgroups: [1, 1, 1],
  });
  return { norm, inverse_scale, results, sums, scale, counts, scalars };
}

const scaledCase = (
  name: string,
  parts: readonly number[],
  scale: number,
  clean_steps: number,
  changes: { skipped?: number; update_number?: number; beta1?: number; beta2?: number } = {},
): OpCase<In, ScalingAttrs> => {
  const { skipped = 0, update_number = 3, beta1 = 0.9, beta2 = 0.95 } = changes;
  return {
    // Corrections may be as small as 0.001.
    name,
    atol: 1e-8,
    rtol: 1e-5,
    attrs: { max_scale: 2048, beta1, beta2 },
    inputs: (r) => ({
      parts: r.values([parts.length], parts),
      sums: r.values([2], [1.5, 0.25]),
      scale: r.values([1], [scale]),
      counts: r.values([2], [clean_steps, skipped]),
      scalars: r.values([SCALARS.length], [0.01, 0.02, 0.5, 0.25, update_number]),
    }),
  };
};

/**
 * parts [k] (of squares of scaled gradients), sums [n], scale [1], counts [2] (updates since the
 * scale last changed; updates left out so far), scalars [5] (`SCALARS`) -> norm of the true
 * gradients, inverse_scale (1 / scale, or 0: leave this update out), results [n + 1] (the sums,
 * then the norm), and the last four inputs: sums, scale and counts as the next step needs them,
 * scalars with the bias corrections of update_number less those left out. On WebGPU these are
 * written in place and come back themselves.
 */
export const scaled_step_results = defineOp({
  name: 'scaled_step_results',
  inputs: ['parts', 'sums', 'scale', 'counts', 'scalars'],
  outputs: ['norm', 'inverse_scale', 'results', 'sums', 'scale', 'counts', 'scalars'],
  oracle,
  reference,
  kernel,
  gradient: null,
  cases: [
    scaledCase('a number', [1024, 0, 2.25], 1024, 7),
    scaledCase('an overflow', [1, Infinity], 1024, 7, { skipped: 2 }),
    scaledCase('no number', [NaN, 1, 1], 2, 1999),
    scaledCase('the scale grows', [1024], 512, 1999),
    scaledCase(
      'but not beyond its start',
      Array.from({ length: 300 }, (_v, i) => i % 7),
      2048,
      1999,
    ),
    // Slow betas: 1 - 0.999^1 has no digits to lose.
    scaledCase('the first update that is not left out', [1024], 64, 0, {
      skipped: 11,
      update_number: 12,
      beta2: 0.999,
    }),
    scaledCase('a late update', [1024], 1024, 100, {
      skipped: 3,
      update_number: 1003,
      beta2: 0.9999,
    }),
    scaledCase('no Adam', [1024], 1024, 100, { skipped: 1, beta1: 0, beta2: 0 }),
  ],
});
