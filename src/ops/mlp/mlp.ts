/**
 * The feed-forward of GPT-2: y = f(x fc_weight + fc_bias) proj_weight + proj_bias + residual, with
 * f the tanh GELU or the squared ReLU. One operation, so that f and its derivative are taken where
 * a product is stored (`core.ts`). Optional inputs are operations of their own. x is [N, d],
 * fc_weight [d, f], fc_bias [f], proj_weight [f, d], proj_bias [d], residual and y [N, d]; `before`
 * and `after` the activation [N, f] come out for the gradient alone.
 */
import {
  type CaseRandom,
  defineOp,
  type OpCase,
  type OpDefinition,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import {
  type MlpAttrs,
  type MlpBiases,
  mlpBiasGradients,
  mlpCases,
  mlpGradients,
  type MlpInputs,
  mlpKernel,
  mlpOracle,
  type MlpOutputs,
  mlpReference,
} from './core.ts';

const inputs = ['x', 'fc_weight', 'proj_weight'] as const;
const biases = ['fc_bias', 'proj_bias'] as const;
const outputs = ['before', 'after', 'y'] as const;
const saves = { inputs, outputs: ['before', 'after'] } as const;
const ofResidual = ({ dy }: { dy: Partial<Tensors<MlpOutputs>> }) => required(dy.y);

type Size = ReturnType<typeof mlpCases>[number];
const matrices = (r: CaseRandom, { n, d, f }: Size) => ({
  x: r.normal([n, d]),
  fc_weight: r.normal([d, f]),
  proj_weight: r.normal([f, d]),
});
const biasValues = (r: CaseRandom, { d, f }: Size) => ({
  fc_bias: r.normal([f]),
  proj_bias: r.normal([d]),
});
const cases = <I extends string>(
  make: (r: CaseRandom, s: Size) => ReturnType<OpCase<I, MlpAttrs>['inputs']>,
): OpCase<I, MlpAttrs>[] =>
  mlpCases().map((s) => ({ name: s.name, attrs: s.attrs, inputs: (r) => make(r, s) }));

export const mlp: OpDefinition<MlpInputs, MlpAttrs, MlpOutputs, MlpInputs> = defineOp({
  name: 'mlp',
  inputs,
  outputs,
  oracle: mlpOracle,
  reference: mlpReference,
  kernel: mlpKernel,
  float16: { inputs: ['x'] },
  gradient: { saves, from: ['y'], to: mlpGradients },
  cases: [
    ...cases<MlpInputs>((r, s) => matrices(r, s)),
    {
      name: 'far out',
      attrs: { activation: 'gelu' },
      inputs: (r) => ({
        x: r.values([8, 1], [-1e4, -80, -20, -9, 9, 20, 80, 1e3]),
        fc_weight: r.values([1, 1], [1]),
        proj_weight: r.values([1, 1], [0.5]),
      }),
    },
  ],
});

export const mlpAdd: OpDefinition<
  MlpInputs | 'residual',
  MlpAttrs,
  MlpOutputs,
  MlpInputs | 'residual'
> = defineOp({
  name: 'mlp_add',
  inputs: [...inputs, 'residual'],
  outputs,
  oracle: mlpOracle,
  reference: mlpReference,
  kernel: mlpKernel,
  float16: { inputs: ['x', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...mlpGradients, residual: ofResidual } },
  cases: cases<MlpInputs | 'residual'>((r, s) => ({
    ...matrices(r, s),
    residual: r.normal([s.n, s.d]),
  })),
});

export const mlpBias: OpDefinition<
  MlpInputs | MlpBiases,
  MlpAttrs,
  MlpOutputs,
  MlpInputs | MlpBiases
> = defineOp({
  name: 'mlp_bias',
  inputs: [...inputs, ...biases],
  outputs,
  oracle: mlpOracle,
  reference: mlpReference,
  kernel: mlpKernel,
  float16: { inputs: ['x'] },
  gradient: { saves, from: ['y'], to: mlpBiasGradients },
  cases: cases<MlpInputs | MlpBiases>((r, s) => ({ ...matrices(r, s), ...biasValues(r, s) })),
});

export const mlpBiasAdd: OpDefinition<
  MlpInputs | MlpBiases | 'residual',
  MlpAttrs,
  MlpOutputs,
  MlpInputs | MlpBiases | 'residual'
> = defineOp({
  name: 'mlp_bias_add',
  inputs: [...inputs, ...biases, 'residual'],
  outputs,
  oracle: mlpOracle,
  reference: mlpReference,
  kernel: mlpKernel,
  float16: { inputs: ['x', 'residual'] },
  gradient: { saves, from: ['y'], to: { ...mlpBiasGradients, residual: ofResidual } },
  cases: cases<MlpInputs | MlpBiases | 'residual'>((r, s) => ({
    ...matrices(r, s),
    ...biasValues(r, s),
    residual: r.normal([s.n, s.d]),
  })),
});
