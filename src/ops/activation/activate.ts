/**
 * An activation function by itself. Elsewhere it is part of the epilogue of a matmul (`mlp`); with a
 * low-rank update (LoRA), something is added between the two.
 */
import { mul, type Tensor } from '@tensorflow/tfjs-core';
import {
  activation as newActivation,
  dispatch,
  grid,
  output,
  type Param,
  runOnProcessor,
} from '../../backend/index.ts';
import { defineOp, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import { functions, type MlpAttrs } from '../mlp/core.ts';
import { ELEMENTWISE, mapUnit, unitCode, type Width, widthOf } from '../wgsl/index.ts';
import { activationCode } from './kernels.ts';

const CASES: readonly { name: string; attrs: MlpAttrs; shape: readonly number[] }[] = [
  { name: 'gelu, odd size', attrs: { activation: 'gelu' }, shape: [5, 7] },
  { name: 'relu2, rows of four', attrs: { activation: 'relu2' }, shape: [3, 8] },
  { name: 'exact gelu', attrs: { activation: 'exact_gelu' }, shape: [5, 8] },
];

/** x [N, f], dy [N, f] -> dx [N, f] = dy f'(x). */
const activateGrad: OpDefinition<'x' | 'dy', MlpAttrs, 'dx', never> = defineOp({
  name: 'activate_grad',
  inputs: ['x', 'dy'],
  outputs: ['dx'],
  oracle: ({ x, dy }, { activation }: MlpAttrs) => {
    const dx = zeros(x.shape);
    for (let i = 0; i < dx.data.length; i++)
      dx.data[i] = at(dy, i) * functions[activation].derivative(at(x, i));
    return { dx };
  },
  reference: ({ x, dy }, { activation }) => ({
    dx: mul(dy, functions[activation].tensorDerivative(x)),
  }),
  kernel: ({ x, dy }, attrs) => ({ dx: activateKernel(x, attrs, dy) }),
  processor: ({ x, dy }, attrs) => {
    const dx = output(x.shape);
    const params = paramsOf(x, attrs);
    runOnProcessor({ kernel: 'activate_gradient', writes: [dx], reads: [x, dy], params });
    return { dx };
  },
  float16: { inputs: ['x', 'dy'] },
  gradient: null,
  bench: ({ N, F }, inputs) => [
    { attrs: { activation: 'gelu' }, inputs: { x: inputs.normal(N, F), dy: inputs.normal(N, F) } },
  ],
  cases: CASES.map(({ name, attrs, shape }) => ({
    name,
    attrs,
    inputs: (random) => ({ x: random.normal(shape, 2), dy: random.normal(shape) }),
  })),
});

/** x [N, f] -> y [N, f] = f(x). */
export const activate: OpDefinition<'x', MlpAttrs, 'y', 'x'> = defineOp({
  name: 'activate',
  inputs: ['x'],
  outputs: ['y'],
  oracle: ({ x }, { activation }: MlpAttrs) => ({
    y: { ...x, data: x.data.map(functions[activation].value) },
  }),
  reference: ({ x }, { activation }) => ({ y: functions[activation].tensor(x) }),
  kernel: ({ x }, attrs) => ({ y: activateKernel(x, attrs) }),
  processor: ({ x }, attrs) => {
    const y = output(x.shape);
    runOnProcessor({ kernel: 'activate', writes: [y], reads: [x], params: paramsOf(x, attrs) });
    return { y };
  },
  float16: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x'], outputs: [] },
    from: ['y'],
    to: {
      x: ({ inputs: { x }, attrs, dy }) => run(activateGrad, { x, dy: required(dy.y) }, attrs).dx,
    },
  },
  bench: ({ N, F }, inputs) => [
    { attrs: { activation: 'gelu' }, inputs: { x: inputs.normal(N, F) } },
  ],
  cases: CASES.map(({ name, attrs, shape }) => ({
    name,
    attrs,
    inputs: (random) => ({ x: random.normal(shape, 2) }),
  })),
});

const paramsOf = (x: Tensor, { activation }: MlpAttrs): Param[] => [
  ['i32', x.size],
  ['i32', functions[activation].code],
];

/** f(x), or dy f'(x) if dy is given. */
function activateKernel(x: Tensor, { activation }: MlpAttrs, dy?: Tensor): Tensor {
  const y = newActivation(x.shape);
  const width = widthOf(x.shape.at(-1) ?? 1);
  const size = x.size / width;
  dispatch({
    name: dy ? 'activate_grad' : 'activate',
    code: activateCode(width, { y, x, dy: dy ?? x }),
    constants: { ACTIVATION: functions[activation].code, DERIVATIVE: dy ? 1 : 0 },
    writes: [y],
    // Without a gradient its binding is not read.
    reads: [x, dy ?? x],
    params: [['u32', size]],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return y;
}

const activateCode = (width: Width, buffers: Record<'y' | 'x' | 'dy', Tensor>): string => `
${activationCode}${unitCode(width, buffers)}
override DERIVATIVE: bool = false;
struct Params { size: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> x: array<x_stored>;
@group(0) @binding(2) var<storage, read> dy: array<dy_stored>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(${ELEMENTWISE})
fn main(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {
  let i = (wg.y * count.x + wg.x) * ${ELEMENTWISE}u + tid;
  if (i >= p.size) { return; }
  let u = get_x(x[i]);
  if (DERIVATIVE) {
    y[i] = put_y(get_dy(dy[i]) * ${mapUnit(width, 'u', (value) => `derivative_at(${value})`)});
  } else {
    y[i] = put_y(${mapUnit(width, 'u', (value) => `value_at(${value})`)});
  }
}`;
