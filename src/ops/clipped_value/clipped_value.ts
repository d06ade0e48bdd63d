/**
 * The clipped loss of PPO's value model per token, as in OpenAI's baselines and TRL: half the larger
 * of the squared errors of the value and of the value clipped to the neighbourhood of its old one.
 */
import {
  add,
  equal,
  greater,
  greaterEqual,
  maximum,
  minimum,
  mul,
  onesLike,
  reshape,
  square,
  sub,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import {
  type BenchInput,
  type BenchInputs,
  type CaseRandom,
  defineOp,
  type Hosts,
  type HostTensor,
  type OpDefinition,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import { ELEMENTWISE } from '../wgsl/index.ts';
import wgsl from './clipped_value.wgsl?raw';
import gradWgsl from './clipped_value_grad.wgsl?raw';

export interface ClippedValueAttrs {
  /** A value is clipped to old - cliprange ... old + cliprange. */
  cliprange: number;
}
type Value = 'values' | 'old_values' | 'returns';

const clip = (x: number, low: number, high: number): number => Math.min(Math.max(x, low), high);

/** The value, and the value near its old one, both minus the return. */
function errors({ values, old_values, returns }: Tensors<Value>, { cliprange }: ClippedValueAttrs) {
  const n = returns.size;
  const flat = reshape(values, [n]);
  const near = minimum(maximum(flat, sub(old_values, cliprange)), add(old_values, cliprange));
  return { free: sub(flat, returns), near: sub(near, returns) };
}

const SIZES = [300, 7, 1] as const;

function valueInputs(random: CaseRandom, n: number): Hosts<Value> {
  const values = random.normal([n]);
  const near = (std: number): HostTensor => {
    const noise = random.normal([n], std);
    return random.values(
      [n],
      Array.from(noise.data, (x, i) => x + at(values, i)),
    );
  };
  return { values, old_values: near(0.3), returns: near(1) };
}

const benchValues = (n: number, inputs: BenchInputs): Record<Value, BenchInput> => ({
  values: inputs.normal(n),
  old_values: inputs.normal(n),
  returns: inputs.normal(n),
});

/** Every third token is masked. */
const maskOf = (random: CaseRandom, n: number): HostTensor =>
  random.values(
    [n],
    Array.from({ length: n }, (_, i) => (i % 3 === 1 ? 0 : 1 / n)),
  );

const valuesOf = ({ values, old_values, returns }: Tensors<Value>): Tensor[] => [
  values,
  old_values,
  returns,
];

/**
 * values, n of them in any shape, old_values, returns and weights [n] -> loss [n] = 1/2 max((v -
 * R)^2, (clip(v) - R)^2) and clipped [n], 1 where the clipped error is the larger one. A token of
 * weight 0 gives zeros, whatever its values.
 */
export const clippedValue: OpDefinition<
  Value | 'weights',
  ClippedValueAttrs,
  'loss' | 'clipped',
  'values'
> = defineOp({
  name: 'clipped_value',
  inputs: ['values', 'old_values', 'returns', 'weights'],
  outputs: ['loss', 'clipped'],
  oracle: ({ values, old_values, returns, weights }, { cliprange }: ClippedValueAttrs) => {
    const n = returns.data.length;
    const loss = zeros([n]);
    const clipped = zeros([n]);
    for (let i = 0; i < n; i++) {
      if (at(weights, i) === 0) continue;
      const old = at(old_values, i);
      const free = (at(values, i) - at(returns, i)) ** 2;
      const near = (clip(at(values, i), old - cliprange, old + cliprange) - at(returns, i)) ** 2;
      loss.data[i] = 0.5 * Math.max(free, near);
      clipped.data[i] = near > free ? 1 : 0;
    }
    return { loss, clipped };
  },
  reference: (inputs, attrs) => {
    const { free, near } = errors(inputs, attrs);
    const none = zerosLike(free);
    const counted = (x: Tensor): Tensor => where(equal(inputs.weights, 0), none, x);
    const isClipped = greater(square(near), square(free));
    return {
      loss: counted(mul(0.5, maximum(square(free), square(near)))),
      clipped: counted(where(isClipped, onesLike(free), none)),
    };
  },
  kernel: (inputs, { cliprange }) => {
    const n = inputs.returns.size;
    const loss = output([n]);
    const clipped = output([n]);
    dispatch({
      name: 'clipped_value',
      code: wgsl,
      writes: [loss, clipped],
      reads: [...valuesOf(inputs), inputs.weights],
      params: [
        ['u32', n],
        ['f32', cliprange],
      ],
      workgroups: grid(Math.ceil(n / ELEMENTWISE)),
    });
    return { loss, clipped };
  },
  processor: (inputs, { cliprange }) => {
    const n = inputs.returns.size;
    const loss = output([n]);
    const clipped = output([n]);
    runOnProcessor({
      kernel: 'clipped_value',
      writes: [loss, clipped],
      reads: [...valuesOf(inputs), inputs.weights],
      params: [
        ['i32', n],
        ['f32', cliprange],
      ],
    });
    return { loss, clipped };
  },
  gradient: {
    saves: { inputs: ['values', 'old_values', 'returns', 'weights'], outputs: [] },
    from: ['loss'],
    to: {
      values: ({ inputs, attrs, dy }) => {
        const { dvalues } = run(clippedValueGrad, { ...inputs, dy: required(dy.loss) }, attrs);
        return reshape(dvalues, inputs.values.shape);
      },
    },
  },
  bench: ({ N }, inputs) => [
    {
      attrs: { cliprange: 0.2 },
      inputs: { ...benchValues(N, inputs), weights: inputs.full(1 / N, N) },
    },
  ],
  cases: SIZES.map((n) => ({
    name: `${n} tokens`,
    attrs: { cliprange: 0.2 },
    inputs: (random) => ({ ...valueInputs(random, n), weights: maskOf(random, n) }),
  })),
});

/** Gradient of `clipped_value`: its inputs and dy [n] -> dvalues [n]. */
export const clippedValueGrad: OpDefinition<
  Value | 'weights' | 'dy',
  ClippedValueAttrs,
  'dvalues',
  never
> = defineOp({
  name: 'clipped_value_grad',
  inputs: ['values', 'old_values', 'returns', 'weights', 'dy'],
  outputs: ['dvalues'],
  oracle: ({ values, old_values, returns, weights, dy }, { cliprange }: ClippedValueAttrs) => {
    const n = returns.data.length;
    const dvalues = zeros([n]);
    for (let i = 0; i < n; i++) {
      if (at(weights, i) === 0) continue;
      const old = at(old_values, i);
      const free = at(values, i) - at(returns, i);
      const near = clip(at(values, i), old - cliprange, old + cliprange) - at(returns, i);
      dvalues.data[i] = free ** 2 >= near ** 2 ? at(dy, i) * free : 0;
    }
    return { dvalues };
  },
  reference: (inputs, attrs) => {
    const { free, near } = errors(inputs, attrs);
    const isFree = greaterEqual(square(free), square(near));
    const dvalues = where(isFree, mul(inputs.dy, free), zerosLike(free));
    return { dvalues: where(equal(inputs.weights, 0), zerosLike(free), dvalues) };
  },
  kernel: (inputs, { cliprange }) => {
    const n = inputs.returns.size;
    const dvalues = output([n]);
    dispatch({
      name: 'clipped_value_grad',
      code: gradWgsl,
      writes: [dvalues],
      reads: [...valuesOf(inputs), inputs.weights, inputs.dy],
      params: [
        ['u32', n],
        ['f32', cliprange],
      ],
      workgroups: grid(Math.ceil(n / ELEMENTWISE)),
    });
    return { dvalues };
  },
  processor: (inputs, { cliprange }) => {
    const n = inputs.returns.size;
    const dvalues = output([n]);
    runOnProcessor({
      kernel: 'clipped_value_grad',
      writes: [dvalues],
      reads: [...valuesOf(inputs), inputs.weights, inputs.dy],
      params: [
        ['i32', n],
        ['f32', cliprange],
      ],
    });
    return { dvalues };
  },
  gradient: null,
  bench: ({ N }, inputs) => [
    {
      attrs: { cliprange: 0.2 },
      inputs: { ...benchValues(N, inputs), weights: inputs.full(1 / N, N), dy: inputs.normal(N) },
    },
  ],
  cases: SIZES.map((n) => ({
    name: `${n} tokens`,
    attrs: { cliprange: 0.2 },
    inputs: (random) => ({
      ...valueInputs(random, n),
      weights: maskOf(random, n),
      dy: random.normal([n]),
    }),
  })),
});
