/**
 * `step_results` with loss scaling, which multiplies the loss before the backward pass so that small
 * gradients do not underflow in float16. The norm is that of the unscaled gradients.
 *
 * The scale adapts as in PyTorch's GradScaler: a norm that is not finite (an overflow somewhere) skips
 * the update and halves the scale; 2000 updates without an overflow double it, up to its initial
 * value. Scales are powers of two, so scaling does not round. A skipped update is not counted by Adam
 * either (GradScaler does not call optimizer.step), so the bias corrections, which the host wrote
 * before it could know, are recomputed.
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
import { defineOp, type Hosts, type HostTensor, type OpCase, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import { workgroupSum } from '../wgsl/index.ts';
import code from './scaled_step_results.wgsl?raw';
import { scalarAt, scalarOf, SCALARS, WORKGROUP } from './update.ts';

/** Updates without an overflow after which the scale doubles (GradScaler's growth_interval). */
export const GROWTH_INTERVAL = 2000;

export interface ScalingAttrs {
  /** The initial scale, which is also the largest. */
  max_scale: number;
  /** Adam's betas, for the bias corrections; 0 without Adam, where the corrections are 1. */
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
  const old = at(scale, 0);
  const norm = Math.sqrt(parts.data.reduce((a, b) => a + b, 0)) / old;
  const finite = Number.isFinite(norm);
  const grows = at(counts, 0) + 1 >= GROWTH_INTERVAL;
  const skipped = at(counts, 1);
  const host = (shape: readonly number[], ...values: number[]): HostTensor => ({
    ...zeros(shape),
    data: Float64Array.from(values),
  });
  const grown = grows ? Math.min(2 * old, max_scale) : old;
  const t = Math.max(1, scalarOf(scalars, 'update_number') - skipped);
  const results = zeros([n + 1]);
  results.data.set(sums.data);
  results.data[n] = norm;
  return {
    norm: host([], norm),
    inverse_scale: host([], finite ? 1 / old : 0),
    results,
    sums: zeros([n]),
    scale: host([1], finite ? grown : old / 2),
    counts: host([2], finite && !grows ? at(counts, 0) + 1 : 0, finite ? skipped : skipped + 1),
    scalars: finite
      ? host(
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
 * 1 - beta^n, n [1]. With x = n ln(beta), 1 - exp(x) loses precision for small x, where the series
 * -(x + x^2 / 2 + ...) is used instead.
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
  // x - x is 0 for finite values only.
  const finite = equal(sub(norm, norm), 0);
  const finite1 = reshape(finite, [1]);
  const grown = where(grows, minimum(mul(scale, 2), max_scale), scale);
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
    inverse_scale: where(finite, div(1, reshape(scale, [])), 0),
    scale: where(finite1, grown, mul(scale, 0.5)),
    counts: concat([
      where(finite1, where(grows, 0, steps), 0),
      where(finite1, skipped, add(skipped, 1)),
    ]),
    scalars: where(finite, corrected, scalars),
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

interface ScaledCase {
  parts: readonly number[];
  scale: number;
  /** Updates since the scale last changed. */
  steps: number;
  skipped?: number;
  update_number?: number;
  beta1?: number;
  beta2?: number;
}

function scaledCase(name: string, values: ScaledCase): OpCase<In, ScalingAttrs> {
  const { parts, scale, steps, skipped = 0, update_number = 3 } = values;
  const { beta1 = 0.9, beta2 = 0.95 } = values;
  return {
    name,
    // Bias corrections may be as small as 0.001.
    atol: 1e-8,
    rtol: 1e-5,
    attrs: { max_scale: 2048, beta1, beta2 },
    inputs: (random) => ({
      parts: random.values([parts.length], parts),
      sums: random.values([2], [1.5, 0.25]),
      scale: random.values([1], [scale]),
      counts: random.values([2], [steps, skipped]),
      scalars: random.values([SCALARS.length], [0.01, 0.02, 0.5, 0.25, update_number]),
    }),
  };
}

/**
 * Inputs: parts [k] (sums of squares of scaled gradients), sums [n], scale [1], counts [2] (updates
 * since the scale last changed, and skipped updates so far), scalars [5] (`SCALARS`).
 *
 * Outputs: norm [] of the unscaled gradients; inverse_scale [] (1 / scale, or 0 to skip this update);
 * results [n + 1] (the sums followed by the norm); sums, scale and counts for the next step; scalars
 * with the bias corrections of update_number minus the skipped updates. By kernels the last four are
 * updated in place and returned themselves.
 */
export const scaledStepResults = defineOp({
  name: 'scaled_step_results',
  inputs: ['parts', 'sums', 'scale', 'counts', 'scalars'],
  outputs: ['norm', 'inverse_scale', 'results', 'sums', 'scale', 'counts', 'scalars'],
  oracle,
  reference,
  kernel,
  gradient: null,
  bench: (_sizes, inputs) => [
    {
      attrs: { max_scale: 2048, beta1: 0.9, beta2: 0.95 },
      inputs: {
        parts: inputs.full(1, 256),
        sums: inputs.normal(2),
        scale: inputs.full(1024, 1),
        counts: inputs.full(0, 2),
        scalars: inputs.full(0.5, SCALARS.length),
      },
    },
  ],
  cases: [
    scaledCase('a finite norm', { parts: [1024, 0, 2.25], scale: 1024, steps: 7 }),
    scaledCase('an overflow', { parts: [1, Infinity], scale: 1024, steps: 7, skipped: 2 }),
    scaledCase('NaN', { parts: [NaN, 1, 1], scale: 2, steps: 1999 }),
    scaledCase('the scale doubles', { parts: [1024], scale: 512, steps: 1999 }),
    scaledCase('the scale does not exceed its initial value', {
      parts: Array.from({ length: 300 }, (_v, i) => i % 7),
      scale: 2048,
      steps: 1999,
    }),
    // With a beta near 1, 1 - 0.999^1 must not lose precision.
    scaledCase('the first update that is not skipped', {
      parts: [1024],
      scale: 64,
      steps: 0,
      skipped: 11,
      update_number: 12,
      beta2: 0.999,
    }),
    scaledCase('a late update', {
      parts: [1024],
      scale: 1024,
      steps: 100,
      skipped: 3,
      update_number: 1003,
      beta2: 0.9999,
    }),
    scaledCase('without Adam', {
      parts: [1024],
      scale: 1024,
      steps: 100,
      skipped: 1,
      beta1: 0,
      beta2: 0,
    }),
  ],
});
