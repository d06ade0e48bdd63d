/**
 * Gated linear units (Shazeer 2020): y [N, f] = activation(gate) * up, where gate_up [N, 2f] holds
 * the columns of gate, then those of up, as Llama's packed projection produces them. SwiGLU uses
 * SiLU, `relu2_glu` the squared ReLU.
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

function splitGateUp(gate_up: Tensor): { gate: Tensor; up: Tensor } {
  const [n, d] = dims2(gate_up.shape);
  const f = d / 2;
  return { gate: slice(gate_up, [0, 0], [n, f]), up: slice(gate_up, [0, f], [n, f]) };
}

/**
 * Whether gate and up each consist of whole units of four values, so that no float16 unit holds
 * values of both.
 */
const gateHasWholeUnits = ({ gate_up }: Record<'gate_up', Tensor>): boolean =>
  dims2(gate_up.shape)[1] % 8 === 0;

/** gate_up [N, 2f], dy [N, f] -> dx [N, 2f]. */
const defineGrad = (name: string, activation: Activation) =>
  defineOp({
    name: `${name}_grad`,
    inputs: ['gate_up', 'dy'],
    outputs: ['dx'],
    oracle: ({ gate_up, dy }, _: object) => {
      const [n, f] = dims2(dy.shape);
      const dx = zeros([n, 2 * f]);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < f; j++) {
          const gate = 2 * i * f + j;
          const up = gate + f;
          const g = at(dy, i * f + j);
          dx.data[gate] = g * at(gate_up, up) * activation.derivative(at(gate_up, gate));
          dx.data[up] = g * activation.value(at(gate_up, gate));
        }
      return { dx };
    },
    reference: ({ gate_up, dy }) => {
      const { gate, up } = splitGateUp(gate_up);
      const gateGradient = mul(mul(dy, up), activation.tensorDerivative(gate));
      return { dx: concat([gateGradient, mul(dy, activation.tensor(gate))], 1) };
    },
    kernel: ({ gate_up, dy }) => ({ dx: gluGradKernel(activation, gate_up, dy) }),
    float16: { inputs: ['gate_up', 'dy'], when: gateHasWholeUnits },
    gradient: null,
    bench: ({ N, F }, inputs) => [
      { attrs: {}, inputs: { gate_up: inputs.normal(N, 2 * F), dy: inputs.normal(N, F) } },
    ],
    cases: SHAPES.map(([n, f]) => ({
      name: `${n}x${f}`,
      attrs: {},
      inputs: (random) => ({ gate_up: random.normal([n, 2 * f], 2), dy: random.normal([n, f]) }),
    })),
  });

function defineGlu(name: string, activation: Activation, grad: ReturnType<typeof defineGrad>) {
  return defineOp({
    name,
    inputs: ['gate_up'],
    outputs: ['y'],
    oracle: ({ gate_up }, _: object) => {
      const [n, d] = dims2(gate_up.shape);
      const f = d / 2;
      const y = zeros([n, f]);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < f; j++) {
          const gate = i * d + j;
          y.data[i * f + j] = activation.value(at(gate_up, gate)) * at(gate_up, gate + f);
        }
      return { y };
    },
    reference: ({ gate_up }) => {
      const { gate, up } = splitGateUp(gate_up);
      return { y: mul(activation.tensor(gate), up) };
    },
    kernel: ({ gate_up }) => ({ y: gluKernel(activation, gate_up) }),
    float16: { inputs: ['gate_up'], when: gateHasWholeUnits },
    gradient: {
      saves: { inputs: ['gate_up'], outputs: [] },
      from: ['y'],
      to: {
        gate_up: ({ inputs: { gate_up }, dy }) => run(grad, { gate_up, dy: required(dy.y) }, {}).dx,
      },
    },
    bench: ({ N, F }, inputs) => [{ attrs: {}, inputs: { gate_up: inputs.normal(N, 2 * F) } }],
    cases: SHAPES.map(([n, f]) => ({
      name: `${n}x${f}`,
      attrs: {},
      inputs: (random) => ({ gate_up: random.normal([n, 2 * f], 2) }),
    })),
  });
}

export const swigluGrad = defineGrad('swiglu', silu);
export const relu2GluGrad = defineGrad('relu2_glu', relu2);

/** gate_up [N, 2f] -> y [N, f] = silu(gate) * up. */
export const swiglu = defineGlu('swiglu', silu, swigluGrad);
/** gate_up [N, 2f] -> y [N, f] = relu(gate)^2 * up. */
export const relu2Glu = defineGlu('relu2_glu', relu2, relu2GluGrad);
