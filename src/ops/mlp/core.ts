/**
 * What the four `mlp` operations share: y = f(x fc + fc_bias) proj (+ proj_bias) (+ residual), with f
 * chosen by the attributes. Forward is two matmuls; the epilogue of the first stores the values
 * `before` and `after` the activation. Backward applies the derivative of f in the epilogue of
 * dy proj^T.
 */
import { add, matMul, mul, type Tensor } from '@tensorflow/tfjs-core';
import { activation } from '../../backend/index.ts';
import { type Activation, exactGelu, gelu, relu2 } from '../activation/functions.ts';
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
import { matmulKernel } from '../matmul/kernel.ts';
import { referenceMatmul, runMatmul } from '../matmul/matmul.ts';
import type { ProcessorMatmulOptions } from '../matmul/processor.ts';

export interface MlpAttrs {
  /** `gelu` is the tanh approximation, `exact_gelu` has the error function. */
  activation: 'gelu' | 'exact_gelu' | 'relu2';
}
export const functions: Record<MlpAttrs['activation'], Activation> = {
  gelu,
  exact_gelu: exactGelu,
  relu2,
};

/** Sizes of the cases: all activations, with odd widths and with multiples of four. */
export function mlpCases(): { name: string; attrs: MlpAttrs; n: number; d: number; f: number }[] {
  return [
    { name: 'gelu, odd sizes', attrs: { activation: 'gelu' }, n: 5, d: 3, f: 7 },
    { name: 'relu2, rows of four', attrs: { activation: 'relu2' }, n: 9, d: 8, f: 12 },
    { name: 'exact gelu', attrs: { activation: 'exact_gelu' }, n: 4, d: 4, f: 8 },
  ];
}

/** Inputs of all four operations: x [N, d], fc_weight [d, f], proj_weight [f, d]. */
export type MlpInputs = 'x' | 'fc_weight' | 'proj_weight';
/** Biases [f] and [d]. */
export type MlpBiases = 'fc_bias' | 'proj_bias';
/** Values before and after the activation [N, f], and y [N, d]. */
export type MlpOutputs = 'before' | 'after' | 'y';
type Optional<T> = Partial<Record<MlpBiases | 'residual', T>>;

export function mlpOracle(
  inputs: Hosts<MlpInputs> & Optional<HostTensor>,
  { activation }: MlpAttrs,
): Hosts<MlpOutputs> {
  const { x, fc_weight, fc_bias, proj_weight, proj_bias, residual } = inputs;
  const before = linearOracle(x, fc_weight, fc_bias);
  const after = { ...before, data: before.data.map(functions[activation].value) };
  return { before, after, y: linearOracle(after, proj_weight, proj_bias, residual) };
}

export function mlpReference(
  inputs: Tensors<MlpInputs> & Optional<Tensor>,
  { activation }: MlpAttrs,
): Tensors<MlpOutputs> {
  const { x, fc_weight, fc_bias, proj_weight, proj_bias, residual } = inputs;
  const plus = (value: Tensor, more?: Tensor): Tensor => (more ? add(value, more) : value);
  const before = plus(matMul(x, fc_weight), fc_bias);
  const after = functions[activation].tensor(before);
  return { before, after, y: plus(plus(matMul(after, proj_weight), proj_bias), residual) };
}

type Forward = (
  inputs: Tensors<MlpInputs> & Optional<Tensor>,
  attrs: MlpAttrs,
) => Tensors<MlpOutputs>;

/** Forward by the matmul of WebGPU or of the processor. */
export const forwardBy =
  (matmul: (a: Tensor, b: Tensor, options: ProcessorMatmulOptions) => Tensor): Forward =>
  (inputs, attrs) => {
    const { x, fc_weight, fc_bias, proj_weight, proj_bias, residual } = inputs;
    const [n] = dims2(x.shape);
    const [, d_hidden] = dims2(fc_weight.shape);
    const after = activation([n, d_hidden]);
    const before = matmul(x, fc_weight, {
      bias: fc_bias,
      apply: { f: functions[attrs.activation], to: after },
    });
    const y = matmul(after, proj_weight, { bias: proj_bias, residual });
    return { before, after, y };
  };
export const mlpKernel: Forward = forwardBy(matmulKernel);

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
        let dafter = 0;
        for (let k = 0; k < d; k++) dafter += at(dy, i * d + k) * at(weight, j * d + k);
        dbefore.data[i * f + j] = dafter * functions[activation].derivative(at(before, i * f + j));
      }
    return { dbefore };
  },
  reference: ({ dy, weight, before }, { activation }) => ({
    dbefore: mul(
      referenceMatmul(dy, weight, { transpose_a: false, transpose_b: true }),
      functions[activation].tensorDerivative(before),
    ),
  }),
  kernel: ({ dy, weight, before }, { activation }) => ({
    dbefore: matmulKernel(dy, weight, {
      transpose_b: true,
      derivative: { f: functions[activation], before },
    }),
  }),
  float16: { inputs: ['dy', 'weight', 'before'] },
  gradient: null,
  bench: ({ N, D, F }, inputs) => [
    {
      attrs: { activation: 'gelu' } as const,
      inputs: {
        dy: inputs.normal(N, D),
        weight: inputs.normal(F, D),
        before: inputs.normal(N, F),
      },
      flops: 2 * N * D * F,
    },
  ],
  cases: mlpCases().map(({ name, attrs, n, d, f }) => ({
    name,
    attrs,
    inputs: (random) => ({
      dy: random.normal([n, d]),
      weight: random.normal([f, d]),
      before: random.normal([n, f], 2),
    }),
  })),
});

type Context = GradientContext<MlpInputs, MlpAttrs, MlpOutputs>;
type BiasContext = GradientContext<MlpInputs | MlpBiases, MlpAttrs, MlpOutputs>;

const dbefore = perNode(
  ({ inputs: { proj_weight }, outputs: { before }, dy, attrs }: Context) =>
    run(mlpHiddenGrad, { dy: required(dy.y), weight: proj_weight, before }, attrs).dbefore,
);
const dx = (context: Context): Tensor =>
  runMatmul(dbefore(context), context.inputs.fc_weight, {
    transpose_b: true,
    into: context.into.x,
  });

/** Gradients by input, without biases. */
export const mlpGradients = {
  x: dx,
  fc_weight: (context: Context) =>
    runMatmul(context.inputs.x, dbefore(context), {
      transpose_a: true,
      into: context.into.fc_weight,
    }),
  proj_weight: ({ outputs, dy, into }: Context) =>
    runMatmul(outputs.after, required(dy.y), { transpose_a: true, into: into.proj_weight }),
};

const fcGradients = perNode((context: BiasContext) => {
  const { inputs, into } = context;
  const operands = { x: inputs.x, dy: dbefore(context) };
  return run(linearBiasGrad, operands, {}, { weight: into.fc_weight, bias: into.fc_bias });
});
const projGradients = perNode(({ outputs, dy, into }: BiasContext) => {
  const operands = { x: outputs.after, dy: required(dy.y) };
  return run(linearBiasGrad, operands, {}, { weight: into.proj_weight, bias: into.proj_bias });
});

/** Gradients by input, with biases. */
export const mlpBiasGradients = {
  x: dx,
  fc_weight: (context: BiasContext) => fcGradients(context).weight,
  fc_bias: (context: BiasContext) => fcGradients(context).bias,
  proj_weight: (context: BiasContext) => projGradients(context).weight,
  proj_bias: (context: BiasContext) => projGradients(context).bias,
};
