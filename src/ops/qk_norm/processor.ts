/** qk_norm on the processor (`assembly/qk_norm.ts`). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, type Param, runOnProcessor } from '../../backend/index.ts';
import { implement, type Tensors } from '../define.ts';
import type { Heads } from '../heads/layout.ts';
import { dims2 } from '../host.ts';
import { qkNormGradInput, qkNormGradWeight, rangeOf } from './gradient.ts';
import type { HeadRange } from './kernels.ts';
import { qkNorm } from './qk_norm.ts';

type Attrs = Heads & { eps: number };

function shapeParams(qkv: Tensor, attrs: Attrs): Param[] {
  const [rows] = dims2(qkv.shape);
  return [
    ['i32', rows],
    ['i32', attrs.n_head],
    ['i32', attrs.n_kv_head],
    ['i32', attrs.head_dim],
    ['f32', attrs.eps],
  ];
}

function qkNormOnProcessor(
  { qkv, q_weight, k_weight }: Tensors<'qkv' | 'q_weight' | 'k_weight'>,
  attrs: Attrs,
): Tensors<'y'> {
  const y = output(qkv.shape);
  runOnProcessor({
    kernel: 'qk_norm',
    writes: [y],
    reads: [qkv, q_weight, k_weight],
    params: shapeParams(qkv, attrs),
  });
  return { y };
}

function qkNormGradInputOnProcessor(
  { qkv, q_weight, k_weight, dy }: Tensors<'qkv' | 'q_weight' | 'k_weight' | 'dy'>,
  attrs: Attrs,
): Tensors<'dx'> {
  const dx = output(qkv.shape);
  runOnProcessor({
    kernel: 'qk_norm_grad_input',
    writes: [dx],
    reads: [qkv, q_weight, k_weight, dy],
    params: shapeParams(qkv, attrs),
  });
  return { dx };
}

/** Rows whose sums are added separately; the number of parts is bounded. */
const PART_ROWS = 16;
const MOST_PARTS = 64;

/** dweight [head_dim] of the heads in the range, or the gradient added to `into`. */
function qkNormGradWeightOnProcessor(
  { qkv, dy }: Tensors<'qkv' | 'dy'>,
  attrs: Attrs,
  { first, count }: HeadRange,
  into?: Tensor,
): Tensors<'dweight'> {
  const [rows] = dims2(qkv.shape);
  const parts = Math.min(MOST_PARTS, Math.ceil(rows / PART_ROWS));
  const partials = output([parts, attrs.head_dim]);
  const dweight = into ?? output([attrs.head_dim]);
  runOnProcessor({
    kernel: 'qk_norm_grad_weight',
    writes: into ? [partials] : [partials, dweight],
    updates: into ? [into] : [],
    reads: [qkv, dy],
    params: [
      ...shapeParams(qkv, attrs),
      ['i32', parts],
      ['i32', first],
      ['i32', count],
      ['i32', into ? 1 : 0],
    ],
  });
  partials.dispose();
  return { dweight };
}

implement(qkNorm, qkNormOnProcessor);
implement(qkNormGradInput, qkNormGradInputOnProcessor);
implement(qkNormGradWeight, (inputs, attrs, into) =>
  qkNormGradWeightOnProcessor(inputs, attrs, rangeOf(attrs, attrs.part), into.dweight),
);
