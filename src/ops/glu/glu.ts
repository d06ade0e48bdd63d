/**
 * Gated linear units (Shazeer 2020): gate_up [N, 2f] holds the two products side by side, as
 * Llama's packed matrix gives them; y [N, f] = activation(gate) * up. SwiGLU takes silu; relu2_glu
 * the squared ReLU.
 */
import { concat, mul, slice, type Tensor } from '@tensorflow/tfjs-core';
import { type Activation, relu2, silu } from '../activation/functions.ts';
import { defineOp, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { gluGradKernel, gluKernel } from './kernels.ts';

const SHAPES = [
  [37, 48],
  [1, 3],
] as const;
const halves = (t: Tensor): [gate: Tensor, up: Tensor] => {
  const [n, d] = dims2(t.shape);
  const f = d / 2;
  return [slice(t, [0, 0], [n, f]), slice(t, [0, f], [n, f])];
};

/** No four values belong to both halves of a row. */
const gateIsWhole = ({ gate_up }: Record<'gate_up', Tensor>): boolean =>
  dims2(gate_up.shape)[1] % 8 === 0;

/** gate_up [N, 2f], dy [N, f] -> dx [N, 2f]. */
const defineGrad = (name: string, a: Activation) =>
  defineOp({
    name: `${name}_grad`,
    inputs: ['gate_up', 'dy'],
    outputs: ['dx'],
    oracle: ({ gate_up, dy }, _: object) => {
      const [n, f] = dims2(dy.shape);
      const dx = zeros([n, 2 * f]);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < f; j++) {
          const g = 2 * i * f + j;
          const u = g + f;
          const d = at(dy, i * f + j);
          dx.data[g] = d * at(gate_up, u) * a.derivative(at(gate_up, g));
          dx.data[u] = d * a.value(at(gate_up, g));
        }
      return { dx };
    },
    reference: ({ gate_up, dy }) => {
      const [gate, up] = halves(gate_up);
      return {
        dx: concat([mul(mul(dy, up), a.tensorDerivative(gate)), mul(dy, a.tensor(gate))], 1),
      };
    },
    kernel: ({ gate_up, dy }) => ({ dx: gluGradKernel(a, gate_up, dy) }),
    halves: { inputs: ['gate_up', 'dy'], when: gateIsWhole },
    gradient: null,
    cases: SHAPES.map(([n, f]) => ({
      name: `${n}x${f}`,
      attrs: {},
      inputs: (r) => ({ gate_up: r.normal([n, 2 * f], 2), dy: r.normal([n, f]) }),
    })),
  });

function defineGlu(name: string, a: Activation) {
  const grad = defineGrad(name, a);
  return defineOp({
    name,
    inputs: ['gate_up'],
    outputs: ['y'],
    oracle: ({ gate_up }, _: object) => {
      const [n, d] = dims2(gate_up.shape);
      const f = d / 2;
      const y = zeros([n, f]);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < f; j++)
          y.data[i * f + j] = a.value(at(gate_up, i * d + j)) * at(gate_up, i * d + f + j);
      return { y };
    },
    reference: ({ gate_up }) => {
      const [gate, up] = halves(gate_up);
      return { y: mul(a.tensor(gate), up) };
    },
    kernel: ({ gate_up }) => ({ y: gluKernel(a, gate_up) }),
    halves: { inputs: ['gate_up'], when: gateIsWhole },
    gradient: {
      saves: { inputs: ['gate_up'], outputs: [] },
      from: ['y'],
      to: {
        gate_up: ({ inputs: { gate_up }, dy }) => run(grad, { gate_up, dy: required(dy.y) }, {}).dx,
      },
    },
    cases: SHAPES.map(([n, f]) => ({
      name: `${n}x${f}`,
      attrs: {},
      inputs: (r) => ({ gate_up: r.normal([n, 2 * f], 2) }),
    })),
  });
}

/** gate_up [N, 2f] -> y [N, f] = silu(gate) up. */
export const swiglu = defineGlu('swiglu', silu);
/** gate_up [N, 2f] -> y [N, f] = relu(gate)^2 up. */
export const relu2Glu = defineGlu('relu2_glu', relu2);
