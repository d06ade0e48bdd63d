/** Activations and their gradients on WebGPU, with the bias where there is one. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE } from '../wgsl/index.ts';
import activationCode from './activation.wgsl?raw';
import code from './bias_activation.wgsl?raw';
import gradCode from './bias_activation_grad.wgsl?raw';
import type { Activation } from './functions.ts';

/** WGSL `value_at` and `derivative_at` of the activation that the constant ACTIVATION names. */
export { activationCode };

const common = (f: Activation, x: Tensor, bias: Tensor | null) => {
  const [, d] = dims2(x.shape);
  return { constants: { ACTIVATION: f.code, BIAS: bias ? 1 : 0 }, params: [['u32', x.size], ['u32', d]], workgroups: grid(Math.ceil(x.size / ELEMENTWISE)) } as const;
};

export function activationKernel(f: Activation, x: Tensor, bias: Tensor | null): Tensor {
  const y = output(x.shape);
  dispatch({ name: 'bias_activation', code: activationCode + code, writes: [y], reads: [x, bias ?? x], ...common(f, x, bias) });
  return y;
}

export function activationGradKernel(f: Activation, x: Tensor, bias: Tensor | null, dy: Tensor): Tensor {
  const dx = output(x.shape);
  dispatch({ name: 'bias_activation_grad', code: activationCode + gradCode, writes: [dx], reads: [x, bias ?? x, dy], ...common(f, x, bias) });
  return dx;
}
