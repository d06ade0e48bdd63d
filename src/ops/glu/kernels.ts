/** Gated linear units and their gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid } from '../../backend/index.ts';
import type { Activation } from '../activation/functions.ts';
import { activationCode } from '../activation/kernels.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, mapUnit, unitCode, type Width, widthOf } from '../wgsl/index.ts';
import code from './glu.wgsl?raw';
import gradCode from './glu_grad.wgsl?raw';

/** WGSL: the activation and its derivative over a unit. */
const activationOverUnit = (width: Width): string => `
fn value_of(u: Unit) -> Unit { return ${mapUnit(width, 'u', (v) => `value_at(${v})`)}; }
fn derivative_of(u: Unit) -> Unit { return ${mapUnit(width, 'u', (v) => `derivative_at(${v})`)}; }
`;

const sharedCode = (width: Width, buffers: Record<string, Tensor>): string =>
  activationCode + unitCode(width, buffers) + activationOverUnit(width);

/** gate_up [N, 2f] -> y [N, f]. */
export function gluKernel({ code: ACTIVATION }: Activation, gate_up: Tensor): Tensor {
  const [n, d] = dims2(gate_up.shape);
  const f = d / 2;
  const y = activation([n, f]);
  const width = widthOf(f);
  const size = (n * f) / width;
  dispatch({
    name: 'glu',
    code: sharedCode(width, { y, x: gate_up }) + code,
    constants: { ACTIVATION },
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

/** gate_up [N, 2f], dy [N, f] -> dx [N, 2f]. */
export function gluGradKernel(
  { code: ACTIVATION }: Activation,
  gate_up: Tensor,
  dy: Tensor,
): Tensor {
  const [n, f] = dims2(dy.shape);
  const dx = activation(gate_up.shape);
  const width = widthOf(f);
  const size = (n * f) / width;
  dispatch({
    name: 'glu_grad',
    code: sharedCode(width, { dx, x: gate_up, dy }) + gradCode,
    constants: { ACTIVATION },
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
