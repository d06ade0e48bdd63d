/** Gated linear units and their gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import type { Activation } from '../activation/functions.ts';
import { activationCode } from '../activation/kernels.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE } from '../wgsl/index.ts';
import code from './glu.wgsl?raw';
import gradCode from './glu_grad.wgsl?raw';

export function gluKernel(a: Activation, gate_up: Tensor): Tensor {
  const [n, d] = dims2(gate_up.shape), f = d / 2, y = output([n, f]);
  dispatch({
    name: 'glu', code: activationCode + code, constants: { ACTIVATION: a.code }, writes: [y], reads: [gate_up],
    params: [['u32', n * f], ['u32', f]], workgroups: grid(Math.ceil((n * f) / ELEMENTWISE)),
  });
  return y;
}

export function gluGradKernel(a: Activation, gate_up: Tensor, dy: Tensor): Tensor {
  const [n, f] = dims2(dy.shape), dx = output(gate_up.shape);
  dispatch({
    name: 'glu_grad', code: activationCode + gradCode, constants: { ACTIVATION: a.code }, writes: [dx], reads: [gate_up, dy],
    params: [['u32', n * f], ['u32', f]], workgroups: grid(Math.ceil((n * f) / ELEMENTWISE)),
  });
  return dx;
}
