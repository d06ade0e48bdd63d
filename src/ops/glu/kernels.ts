/** Gated linear units and their gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid } from '../../backend/index.ts';
import type { Activation } from '../activation/functions.ts';
import { activationCode } from '../activation/kernels.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, unitCode, type Width, widthOf } from '../wgsl/index.ts';
import code from './glu.wgsl?raw';
import gradCode from './glu_grad.wgsl?raw';

/** The activation over a unit. */
const OVER_UNIT: Record<Width, string> = {
  1: 'fn value_of(u: Unit) -> Unit { return value_at(u); }\nfn derivative_of(u: Unit) -> Unit { return derivative_at(u); }\n',
  4: `fn value_of(u: Unit) -> Unit { return vec4f(value_at(u.x), value_at(u.y), value_at(u.z), value_at(u.w)); }
fn derivative_of(u: Unit) -> Unit { return vec4f(derivative_at(u.x), derivative_at(u.y), derivative_at(u.z), derivative_at(u.w)); }\n`,
};
const codeOf = (width: Width, buffers: Record<string, Tensor>): string =>
  activationCode + unitCode(width, buffers) + OVER_UNIT[width];

export function gluKernel(a: Activation, gate_up: Tensor): Tensor {
  const [n, d] = dims2(gate_up.shape);
  const f = d / 2;
  const y = activation([n, f]);
  const width = widthOf(f);
  const size = (n * f) / width;
  dispatch({
    name: 'glu',
    code: codeOf(width, { y, x: gate_up }) + code,
    constants: { ACTIVATION: a.code },
    writes: [y],
    reads: [gate_up],
    params: [
      ['u32', size],
      ['u32', f / width],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return y;
}

export function gluGradKernel(a: Activation, gate_up: Tensor, dy: Tensor): Tensor {
  const [n, f] = dims2(dy.shape);
  const dx = activation(gate_up.shape);
  const width = widthOf(f);
  const size = (n * f) / width;
  dispatch({
    name: 'glu_grad',
    code: codeOf(width, { dx, x: gate_up, dy }) + gradCode,
    constants: { ACTIVATION: a.code },
    writes: [dx],
    reads: [gate_up, dy],
    params: [
      ['u32', size],
      ['u32', f / width],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return dx;
}
