/** Gated linear units and their gradient on the processor (assembly/glu.ts). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, type Param, runOnProcessor } from '../../backend/index.ts';
import { type Activation, relu2, silu } from '../activation/functions.ts';
import { implement } from '../define.ts';
import { dims2 } from '../host.ts';
import { relu2Glu, relu2GluGrad, swiglu, swigluGrad } from './glu.ts';

const paramsOf = (activation: Activation, n: number, f: number): Param[] => [
  ['i32', n],
  ['i32', f],
  ['i32', activation === relu2 ? 1 : 0],
];

/** gate_up [N, 2f] -> y [N, f]. The activation is SiLU or squared ReLU. */
function gluProcessor(activation: Activation, gate_up: Tensor): Tensor {
  const [n, d] = dims2(gate_up.shape);
  const y = output([n, d / 2]);
  runOnProcessor({
    kernel: 'glu',
    writes: [y],
    reads: [gate_up],
    params: paramsOf(activation, n, d / 2),
  });
  return y;
}

/** gate_up [N, 2f], dy [N, f] -> dx [N, 2f]. */
function gluGradProcessor(activation: Activation, gate_up: Tensor, dy: Tensor): Tensor {
  const [n, f] = dims2(dy.shape);
  const dx = output(gate_up.shape);
  runOnProcessor({
    kernel: 'glu_gradient',
    writes: [dx],
    reads: [gate_up, dy],
    params: paramsOf(activation, n, f),
  });
  return dx;
}

implement(swiglu, ({ gate_up }) => ({ y: gluProcessor(silu, gate_up) }));
implement(relu2Glu, ({ gate_up }) => ({ y: gluProcessor(relu2, gate_up) }));
implement(swigluGrad, ({ gate_up, dy }) => ({ dx: gluGradProcessor(silu, gate_up, dy) }));
implement(relu2GluGrad, ({ gate_up, dy }) => ({ dx: gluGradProcessor(relu2, gate_up, dy) }));
