/**
 * `step_results` where the loss was multiplied by a scale before the backward pass, so that small gradients do not vanish in
 * halves: the norm is that of the true gradients, and the scale follows what it finds, as PyTorch's GradScaler does. A norm
 * that is no number (an overflow somewhere) leaves the update out and halves the scale; 2000 updates without one
 * double it again, up to where it started. Scales are powers of two, so that nothing is rounded.
 */
import { add, concat, div, equal, minimum, mul, reshape, sqrt, sub, sum, type Tensor, where, zerosLike } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import { workgroupSum } from '../wgsl/index.ts';
import code from './scaled_step_results.wgsl?raw';
import { WORKGROUP } from './update.ts';

/** Updates without an overflow after which the scale doubles (GradScaler's growth_interval). */
export const GROWTH_INTERVAL = 2000;
export interface ScalingAttrs { max_scale: number }
type In = 'parts' | 'sums' | 'scale' | 'clean_steps';
type Out = 'norm' | 'inverse_scale' | 'results' | 'sums' | 'scale' | 'clean_steps';

function oracle({ parts, sums, scale, clean_steps }: Hosts<In>, { max_scale }: ScalingAttrs): Hosts<Out> {
  const n = sums.data.length, s = at(scale, 0), norm = Math.sqrt(parts.data.reduce((a, b) => a + b, 0)) / s, clean = Number.isFinite(norm);
  const grows = at(clean_steps, 0) + 1 >= GROWTH_INTERVAL, of = (shape: readonly number[], value: number) => ({ ...zeros(shape), data: Float64Array.of(value) });
  const results = zeros([n + 1]);
  results.data.set(sums.data);
  results.data[n] = norm;
  return {
    norm: of([], norm), inverse_scale: of([], clean ? 1 / s : 0), results, sums: zeros([n]),
    scale: of([1], clean ? (grows ? Math.min(2 * s, max_scale) : s) : s / 2), clean_steps: of([1], clean && !grows ? at(clean_steps, 0) + 1 : 0),
  };
}

function reference({ parts, sums, scale, clean_steps }: Tensors<In>, { max_scale }: ScalingAttrs): Tensors<Out> {
  const norm = div(sqrt(sum(parts)), reshape(scale, [])), steps = add(clean_steps, 1), grows = equal(steps, GROWTH_INTERVAL);
  // x - x is 0 for every number, and for nothing else.
  const clean = equal(sub(norm, norm), 0), flag = reshape(clean, [1]);
  return {
    norm, results: concat([sums, reshape(norm, [1])]), sums: zerosLike(sums), inverse_scale: where(clean, div(1, reshape(scale, [])), 0),
    scale: where(flag, where(grows, minimum(mul(scale, 2), max_scale), scale), mul(scale, 0.5)), clean_steps: where(flag, where(grows, 0, steps), 0),
  };
}

function kernel({ parts, sums, scale, clean_steps }: Record<In, Tensor>, { max_scale }: ScalingAttrs): Tensors<Out> {
  const norm = output([]), inverse_scale = output([]), results = output([sums.size + 1]);
  dispatch({
    name: 'scaled_step_results', code: workgroupSum + code, constants: { GROWTH_INTERVAL, WORKGROUP }, writes: [norm, inverse_scale, results], updates: [sums, scale, clean_steps], reads: [parts],
    params: [['u32', parts.size], ['u32', sums.size], ['f32', max_scale]], workgroups: [1, 1, 1],
  });
  return { norm, inverse_scale, results, sums, scale, clean_steps };
}

const scaledCase = (name: string, parts: readonly number[], scale: number, clean_steps: number): OpCase<In, ScalingAttrs> => ({
  name, attrs: { max_scale: 2048 },
  inputs: (r) => ({ parts: r.values([parts.length], parts), sums: r.values([2], [1.5, 0.25]), scale: r.values([1], [scale]), clean_steps: r.values([1], [clean_steps]) }),
});

/**
 * parts [k] (of squares of scaled gradients), sums [n], scale [1], clean_steps [1] (updates since the scale last changed) -> norm of the
 * true gradients, inverse_scale (1 / scale, or 0: leave this update out), results [n + 1] (the sums, then the norm), and the last
 * three inputs as the next step needs them. On WebGPU these are written in place and come back themselves.
 */
export const scaled_step_results = defineOp({
  name: 'scaled_step_results',
  inputs: ['parts', 'sums', 'scale', 'clean_steps'],
  outputs: ['norm', 'inverse_scale', 'results', 'sums', 'scale', 'clean_steps'],
  oracle,
  reference,
  kernel,
  gradient: null,
  cases: [
    scaledCase('a number', [1024, 0, 2.25], 1024, 7), scaledCase('an overflow', [1, Infinity], 1024, 7), scaledCase('no number', [NaN, 1, 1], 2, 1999),
    scaledCase('the scale grows', [1024], 512, 1999), scaledCase('but not beyond its start', Array.from({ length: 300 }, (_v, i) => i % 7), 2048, 1999),
  ],
});
