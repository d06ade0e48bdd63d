/**
 * What the four `mlp` operations share: y = f(x fc + b1) proj (+ b2) (+ residual), with f named by
 * the attributes. Forward is two products: the first stores `before` and `after` the activation at
 * once. Backward goes through f where it stores dy proj^T, and takes the gradients of a product's
 * parameters in one.
 */
import { add, matMul, mul, type Tensor } from '@tensorflow/tfjs-core';
import { activation } from '../../backend/index.ts';
import { type Activation, gelu, relu2 } from '../activation/functions.ts';
import {
  defineOp,
  type GradientContext,
  type Hosts,
  type HostTensor,
  perNode,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { linearOracle } from '../linear/linear.ts';
import { linearBiasGrad } from '../linear/linear_grad.ts';
import { productKernel } from '../matmul/kernel.ts';
import { product, referenceProduct } from '../matmul/matmul.ts';

export interface MlpAttrs {
  activation: 'gelu' | 'relu2';
}
const functions: Record<MlpAttrs['activation'], Activation> = { gelu, relu2 };

/** Cases: both activations, in odd sizes and in rows of four. */
export function mlpCases(): { name: string; attrs: MlpAttrs; n: number; d: number; f: number }[] {
  return [
    { name: 'gelu, odd sizes', attrs: { activation: 'gelu' }, n: 5, d: 3, f: 7 },
    { name: 'relu2, rows of four', attrs: { activation: 'relu2' }, n: 9, d: 8, f: 12 },
  ];
}

/** Inputs of all four operations: x [N, d], fc_weight [d, f], proj_weight [f, d]. */
export type MlpInputs = 'x' | 'fc_weight' | 'proj_weight';
/** Biases [f] and [d]. */
export type MlpBiases = 'fc_bias' | 'proj_bias';
/** What the first product gives before and after the activation [N, f], and y [N, d]. */
export type MlpOutputs = 'before' | 'after' | 'y';
type Optional<T> = Partial<Record<MlpBiases | 'residual', T>>;

export function mlpOracle(
  t: Hosts<MlpInputs> & Optional<HostTensor>,
  { activation }: MlpAttrs,
): Hosts<MlpOutputs> {
  const before = linearOracle(t.x, t.fc_weight, t.fc_bias);
  const after = { ...before, data: before.data.map(functions[activation].value) };
  return { before, after, y: linearOracle(after, t.proj_weight, t.proj_bias, t.residual) };
}

export function mlpReference(
  t: Tensors<MlpInputs> & Optional<Tensor>,
  { activation }: MlpAttrs,
): Tensors<MlpOutputs> {
  const plus = (value: Tensor, more?: Tensor): Tensor => (more ? add(value, more) : value);
  const before = plus(matMul(t.x, t.fc_weight), t.fc_bias);
  const after = functions[activation].tensor(before);
  return { before, after, y: plus(plus(matMul(after, t.proj_weight), t.proj_bias), t.residual) };
}

export function mlpKernel(
  t: Tensors<MlpInputs> & Optional<Tensor>,
  { activation: name }: MlpAttrs,
): Tensors<MlpOutputs> {
  const [n] = dims2(t.x.shape);
  const [, f] = dims2(t.fc_weight.shape);
  const after = activation([n, f]);
  const before = productKernel(t.x, t.fc_weight, {
    bias: t.fc_bias,
    apply: { f: functions[name], to: after },
  });
  return {
    before,
    after,
    y: productKernel(after, t.proj_weight, { bias: t.proj_bias, residual: t.residual }),
  };
}

/** dy [N, d], weight [f, d], before [N, f] -> dbefore [N, f] = (dy weight^T) f'(before). */
export const mlpHiddenGrad = defineOp({
  name: 'mlp_hidden_grad',
  inputs: ['dy', 'weight', 'before'],
  outputs: ['dbefore'],
  oracle: ({ dy, weight, before }, { activation }: MlpAttrs) => {
    const [n, f] = dims2(before.shape);
    const [, d] = dims2(dy.shape);
    const dbefore = zeros([n, f]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < f; j++) {
        let s = 0;
        for (let k = 0; k < d; k++) s += at(dy, i * d + k) * at(weight, j * d + k);
        dbefore.data[i * f + j] = s * functions[activation].derivative(at(before, i * f + j));
      }
    return { dbefore };
  },
  reference: ({ dy, weight, before }, { activation }) => ({
    dbefore: mul(
      referenceProduct(dy, weight, { transpose_a: false, transpose_b: true }),
      functions[activation].tensorDerivative(before),
    ),
  }),
  kernel: ({ dy, weight, before }, { activation }) => ({
    dbefore: productKernel(dy, weight, {
      transpose_b: true,
      derivative: { f: functions[activation], before },
    }),
  }),
  float16: { inputs: ['dy', 'before'] },
  gradient: null,
  cases: mlpCases().map(({ name, attrs, n, d, f }) => ({
    name,
    attrs,
    inputs: (r) => ({
      dy: r.normal([n, d]),
      weight: r.normal([f, d]),
      before: r.normal([n, f], 2),
    }),
  })),
});

type Context = GradientContext<MlpInputs, MlpAttrs, MlpOutputs>;
type BiasContext = GradientContext<MlpInputs | MlpBiases, MlpAttrs, MlpOutputs>;

const dbefore = perNode(
  ({ inputs: { proj_weight }, outputs: { before }, dy, attrs }: Context) =>
    run(mlpHiddenGrad, { dy: required(dy.y), weight: proj_weight, before }, attrs).dbefore,
);
const dx = (c: Context): Tensor => product(dbefore(c), c.inputs.fc_weight, false, true, c.into.x);

export const mlpGradients = {
  x: dx,
  fc_weight: (c: Context) => product(c.inputs.x, dbefore(c), true, false, c.into.fc_weight),
  proj_weight: (c: Context) =>
    product(c.outputs.after, required(c.dy.y), true, false, c.into.proj_weight),
};

const fc = perNode((c: BiasContext) =>
  run(
    linearBiasGrad,
    { x: c.inputs.x, dy: dbefore(c) },
    {},
    { weight: c.into.fc_weight, bias: c.into.fc_bias },
  ),
);
const proj = perNode((c: BiasContext) =>
  run(
    linearBiasGrad,
    { x: c.outputs.after, dy: required(c.dy.y) },
    {},
    { weight: c.into.proj_weight, bias: c.into.proj_bias },
  ),
);
export const mlpBiasGradients = {
  x: dx,
  fc_weight: (c: BiasContext) => fc(c).weight,
  fc_bias: (c: BiasContext) => fc(c).bias,
  proj_weight: (c: BiasContext) => proj(c).weight,
  proj_bias: (c: BiasContext) => proj(c).bias,
};
