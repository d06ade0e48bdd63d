/** LayerNorm and its gradients on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { addInPlace, dispatch, grid, output } from '../../backend/index.ts';
import { chunksOf, foldColumns } from '../column_sum/kernels.ts';
import { dims2 } from '../host.ts';
import { columnLanes, LANE_COLUMNS, threadsForRow, workgroupSum } from '../wgsl/index.ts';
import foldPairsCode from './fold_pairs.wgsl?raw';
import gradWeightCode from './grad_weight.wgsl?raw';
import gradWeightBiasCode from './grad_weight_bias.wgsl?raw';
import layerNormCode from './layer_norm.wgsl?raw';
import gradXCode from './layer_norm_grad_x.wgsl?raw';

export function layerNormKernel(x: Tensor, weight: Tensor, bias: Tensor | null, eps: number): Record<'y' | 'mean' | 'rstd', Tensor> {
  const [n, d] = dims2(x.shape), out = { y: output([n, d]), mean: output([n]), rstd: output([n]) };
  dispatch({
    name: 'layer_norm', code: workgroupSum + layerNormCode, constants: { WORKGROUP: threadsForRow(d), BIAS: bias ? 1 : 0 },
    writes: [out.y, out.mean, out.rstd], reads: [x, weight, bias ?? weight], params: [['u32', n], ['u32', d], ['f32', eps]], workgroups: grid(n),
  });
  return out;
}

export function gradXKernel(x: Tensor, weight: Tensor, mean: Tensor, rstd: Tensor, dy: Tensor): Tensor {
  const [n, d] = dims2(x.shape), dx = output([n, d]);
  dispatch({
    name: 'layer_norm_grad_x', code: workgroupSum + gradXCode, constants: { WORKGROUP: threadsForRow(d) },
    writes: [dx], reads: [x, weight, mean, rstd, dy], params: [['u32', n], ['u32', d]], workgroups: grid(n),
  });
  return dx;
}

/** `mean` null: RMSNorm, which does not centre. */
export function gradWeightKernel(x: Tensor, mean: Tensor | null, rstd: Tensor, dy: Tensor, into: Tensor | undefined): Tensor {
  const [n, d] = dims2(x.shape), { chunks, rows } = chunksOf(n), parts = output([chunks, d]);
  dispatch({
    name: 'norm_grad_weight', code: columnLanes + gradWeightCode, constants: { CENTRE: mean ? 1 : 0 }, writes: [parts], reads: [x, mean ?? rstd, rstd, dy],
    params: [['u32', n], ['u32', d], ['u32', rows]], workgroups: [Math.ceil(d / LANE_COLUMNS), chunks, 1],
  });
  return foldColumns(parts, into);
}

export function gradWeightBiasKernel(
  x: Tensor, mean: Tensor, rstd: Tensor, dy: Tensor, into: { weight?: Tensor; bias?: Tensor },
): Record<'weight' | 'bias', Tensor> {
  const [n, d] = dims2(x.shape), { chunks, rows } = chunksOf(n), pairs = output([chunks, d, 2]);
  dispatch({
    name: 'layer_norm_grad_weight_bias', code: columnLanes + gradWeightBiasCode, writes: [pairs], reads: [x, mean, rstd, dy],
    params: [['u32', n], ['u32', d], ['u32', rows]], workgroups: [Math.ceil(d / LANE_COLUMNS), chunks, 1],
  });
  const result = foldPairs(pairs, chunks, d, into.weight, into.bias);
  pairs.dispose();
  return result;
}

/** Adds in the fold where both buffers are given; where one is (the other parameter is frozen), after it. */
function foldPairs(pairs: Tensor, chunks: number, d: number, weight: Tensor | undefined, bias: Tensor | undefined): Record<'weight' | 'bias', Tensor> {
  const fold = { name: 'fold_pairs', code: columnLanes + foldPairsCode, reads: [pairs], workgroups: [Math.ceil(d / LANE_COLUMNS), 1, 1] } as const;
  const params = [['u32', chunks], ['u32', d]] as const;
  if (weight && bias) {
    dispatch({ ...fold, params, constants: { ADD: 1 }, writes: [], updates: [weight, bias] });
    return { weight, bias };
  }
  const made = { weight: output([d]), bias: output([d]) };
  dispatch({ ...fold, params, constants: { ADD: 0 }, writes: [made.weight, made.bias] });
  return { weight: addedTo(weight, made.weight), bias: addedTo(bias, made.bias) };
}

function addedTo(buffer: Tensor | undefined, value: Tensor): Tensor {
  if (!buffer) return value;
  addInPlace(buffer, value);
  value.dispose();
  return buffer;
}
