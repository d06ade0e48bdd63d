/**
 * The feed-forward block of GPT-2: y = f(x fc_weight + fc_bias) proj_weight + proj_bias + residual,
 * where f is the tanh GELU or the squared ReLU. It is one operation so that f and its derivative are
 * computed in the epilogues of matmuls (`core.ts`). Each combination of the optional biases and
 * residual is an operation of its own.
 *
 * Shapes: x [N, d], fc_weight [d, f], fc_bias [f], proj_weight [f, d], proj_bias [d], residual and y
 * [N, d]. The outputs `before` and `after` [N, f], the values around the activation, are for the
 * gradient.
 */
import {
  type BenchInput,
  type BenchInputs,
  type BenchSizes,
  type CaseRandom,
  defineOp,
  type OpBench,
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
/** Entries of the micro-benchmark. */
const benches =
  <I extends string>(make: (sizes: BenchSizes, inputs: BenchInputs) => Record<I, BenchInput>) =>
  (sizes: BenchSizes, inputs: BenchInputs): OpBench<I, MlpAttrs>[] => [
    {
      attrs: { activation: 'gelu' },
      inputs: make(sizes, inputs),
      flops: 4 * sizes.N * sizes.D * sizes.F,
    },
  ];
const benchMatrices = ({ N, D, F }: BenchSizes, inputs: BenchInputs) => ({
  x: inputs.normal(N, D),
  fc_weight: inputs.normal(D, F),
  proj_weight: inputs.normal(F, D),
});
const benchBiases = ({ D, F }: BenchSizes, inputs: BenchInputs) => ({
  fc_bias: inputs.normal(F),
  proj_bias: inputs.normal(D),
});

const residualGradient = ({ dy }: { dy: Partial<Tensors<MlpOutputs>> }) => required(dy.y);

type Size = ReturnType<typeof mlpCases>[number];
const matrices = (random: CaseRandom, { n, d, f }: Size) => ({
  x: random.normal([n, d]),
  fc_weight: random.normal([d, f]),
  proj_weight: random.normal([f, d]),
});
const biasValues = (random: CaseRandom, { d, f }: Size) => ({
  fc_bias: random.normal([f]),
  proj_bias: random.normal([d]),
});
const cases = <I extends string>(
  make: (random: CaseRandom, size: Size) => ReturnType<OpCase<I, MlpAttrs>['inputs']>,
): OpCase<I, MlpAttrs>[] =>
  mlpCases().map((size) => ({
    name: size.name,
    attrs: size.attrs,
    inputs: (random) => make(random, size),
  }));

export const mlp: OpDefinition<MlpInputs, MlpAttrs, MlpOutputs, MlpInputs> = defineOp({
  name: 'mlp',
  inputs,
  outputs,
  oracle: mlpOracle,
  reference: mlpReference,
  kernel: mlpKernel,
  float16: { inputs },
  gradient: { saves, from: ['y'], to: mlpGradients },
  bench: benches<MlpInputs>(benchMatrices),
  cases: [
    ...cases<MlpInputs>((random, size) => matrices(random, size)),
    {
      name: 'far from zero',
      attrs: { activation: 'gelu' },
      inputs: (random) => ({
        x: random.values([8, 1], [-1e4, -80, -20, -9, 9, 20, 80, 1e3]),
        fc_weight: random.values([1, 1], [1]),
        proj_weight: random.values([1, 1], [0.5]),
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
  float16: { inputs: [...inputs, 'residual'] },
  gradient: { saves, from: ['y'], to: { ...mlpGradients, residual: residualGradient } },
  bench: benches<MlpInputs | 'residual'>((sizes, inputs) => ({
    ...benchMatrices(sizes, inputs),
    residual: inputs.normal(sizes.N, sizes.D),
  })),
  cases: cases<MlpInputs | 'residual'>((random, size) => ({
    ...matrices(random, size),
    residual: random.normal([size.n, size.d]),
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
  float16: { inputs },
  gradient: { saves, from: ['y'], to: mlpBiasGradients },
  bench: benches<MlpInputs | MlpBiases>((sizes, inputs) => ({
    ...benchMatrices(sizes, inputs),
    ...benchBiases(sizes, inputs),
  })),
  cases: cases<MlpInputs | MlpBiases>((random, size) => ({
    ...matrices(random, size),
    ...biasValues(random, size),
  })),
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
  float16: { inputs: [...inputs, 'residual'] },
  gradient: { saves, from: ['y'], to: { ...mlpBiasGradients, residual: residualGradient } },
  bench: benches<MlpInputs | MlpBiases | 'residual'>((sizes, inputs) => ({
    ...benchMatrices(sizes, inputs),
    ...benchBiases(sizes, inputs),
    residual: inputs.normal(sizes.N, sizes.D),
  })),
  cases: cases<MlpInputs | MlpBiases | 'residual'>((random, size) => ({
    ...matrices(random, size),
    ...biasValues(random, size),
    residual: random.normal([size.n, size.d]),
  })),
});
