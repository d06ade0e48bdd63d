/** Low-rank updates on the processor (assembly/low_rank.ts). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, type Param, runOnProcessor } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { checkOutputs, type LowRankAttrs, partEnds } from './attrs.ts';

function paramsOf(y: Tensor, r: number, { scale, parts }: LowRankAttrs): Param[] {
  const [N, out] = dims2(y.shape);
  return [
    ['i32', N],
    ['i32', out],
    ['i32', r],
    ['f32', scale],
    ['i32', parts.length],
    ...partEnds(parts).map((end): Param => ['i32', end]),
  ];
}

export function lowRankAddProcessor(
  base: Tensor,
  h: Tensor,
  b: Tensor,
  attrs: LowRankAttrs,
): Tensor {
  checkOutputs(attrs, base, b);
  const [r] = dims2(b.shape);
  const y = output(base.shape);
  const params = paramsOf(base, r, attrs);
  runOnProcessor({ kernel: 'low_rank_add', writes: [y], reads: [base, h, b], params });
  return y;
}

export function lowRankGradHProcessor(dy: Tensor, b: Tensor, attrs: LowRankAttrs): Tensor {
  checkOutputs(attrs, dy, b);
  const [N] = dims2(dy.shape);
  const [r] = dims2(b.shape);
  const dh = output([N, attrs.parts.length * r]);
  const params = paramsOf(dy, r, attrs);
  runOnProcessor({ kernel: 'low_rank_grad_h', writes: [dh], reads: [dy, b], params });
  return dh;
}

export function lowRankGradBProcessor(
  h: Tensor,
  dy: Tensor,
  attrs: LowRankAttrs,
  into: Tensor | undefined,
): Tensor {
  checkOutputs(attrs, dy);
  const [, columns] = dims2(h.shape);
  const [, out] = dims2(dy.shape);
  const r = columns / attrs.parts.length;
  const db = into ?? output([r, out]);
  const call = { reads: [h, dy], params: paramsOf(dy, r, attrs) };
  if (into) runOnProcessor({ ...call, kernel: 'low_rank_grad_b_add', writes: [], updates: [into] });
  else runOnProcessor({ ...call, kernel: 'low_rank_grad_b', writes: [db] });
  return db;
}
