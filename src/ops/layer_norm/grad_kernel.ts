/**
 * Backward pass of LayerNorm and RMSNorm on WebGPU, in two dispatches and without atomics. The
 * first computes dx and, for each block of rows, partial sums of the parameters' gradients; the
 * second adds up the blocks in order.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { remembered, unitCode, widthOf } from '../wgsl/index.ts';
import { blockCode, FOLD_COLUMNS, foldCode, type FoldOutput } from './grad_code.ts';
import { lanesOf } from './lanes.ts';
import type { NormGradInputs, NormGradInto } from './types.ts';

/**
 * Maximum number of row blocks: enough workgroups to fill a large GPU, and few enough to keep the
 * second dispatch short.
 */
const MAX_BLOCKS = 256;

const blockSource = remembered(blockCode);

/** Gradients of x and of the weight: new tensors, or added to `into`. */
export function normGradKernel(
  name: string,
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight', Tensor> {
  const d = inputs.weight.size;
  const { dx, parts } = blockSums({ name, inputs, bias: false, into: into.dx });
  const weight = into.weight ?? output([d]);
  fold(parts, [{ name: 'weight', tensor: weight, add: into.weight !== undefined }]);
  return { dx, weight };
}

/** Gradients of x, of the weight and of the bias: new tensors, or added to `into`. */
export function normGradBiasKernel(
  name: string,
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight' | 'bias', Tensor> {
  const d = inputs.weight.size;
  const { dx, parts } = blockSums({ name, inputs, bias: true, into: into.dx });
  const weight = into.weight ?? output([d]);
  const bias = into.bias ?? output([d]);
  fold(parts, [
    { name: 'weight', tensor: weight, add: into.weight !== undefined },
    { name: 'bias', tensor: bias, add: into.bias !== undefined },
  ]);
  return { dx, weight, bias };
}

interface BlockSums {
  /** Name of the dispatch. */
  name: string;
  inputs: NormGradInputs;
  /** Whether the bias's gradient is wanted. */
  bias: boolean;
  /** If given, dx is added to this tensor. */
  into: Tensor | undefined;
}

/** dx [N, d] and the blocks' partial sums [blocks, 1 or 2, d], in one dispatch. */
function blockSums({ name, inputs, bias, into }: BlockSums): { dx: Tensor; parts: Tensor } {
  const { x, weight, mean, rstd, dy } = inputs;
  const [n, d] = dims2(x.shape);
  const lanes = lanesOf(d);
  const rounds = Math.ceil(n / (lanes.rows * MAX_BLOCKS));
  const rows = lanes.rows * Math.max(1, rounds);
  const blocks = Math.max(1, Math.ceil(n / rows));
  const parts = output([blocks, bias ? 2 : 1, d]);
  const dx = into ?? activation([n, d]);
  const units = unitCode(widthOf(d), { x, dx, dy });
  dispatch({
    name,
    code: blockSource({ lanes, units, center: mean !== null, bias, add: into !== undefined }),
    writes: into ? [parts] : [parts, dx],
    updates: into ? [into] : [],
    reads: mean ? [x, weight, rstd, dy, mean] : [x, weight, rstd, dy],
    params: [
      ['u32', n],
      ['u32', lanes.units],
      ['u32', rows],
      ['f32', d],
    ],
    workgroups: [blocks, 1, 1],
  });
  return { dx, parts };
}

/** Adds up parts [blocks, 1 or 2, d] over the blocks into `outputs`, and frees the parts. */
function fold(parts: Tensor, outputs: readonly (FoldOutput & { tensor: Tensor })[]): void {
  const [blocks = 0, , d = 0] = parts.shape;
  const writes = outputs.filter((out) => !out.add);
  const updates = outputs.filter((out) => out.add);
  dispatch({
    name: 'norm_grad_fold',
    code: foldCode([...writes, ...updates]),
    writes: writes.map((out) => out.tensor),
    updates: updates.map((out) => out.tensor),
    reads: [parts],
    params: [
      ['u32', blocks],
      ['u32', d],
    ],
    workgroups: [Math.ceil(d / FOLD_COLUMNS), 1, 1],
  });
  parts.dispose();
}
