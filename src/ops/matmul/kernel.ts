/** Dispatching a matrix product on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { deviceClass, dispatch, grid, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { matmulCode, reduceCode, type Variant } from './generate.ts';
import { type Plan, pickTile } from './tile.ts';

export interface ProductOptions {
  transpose_a?: boolean;
  transpose_b?: boolean;
  /** Add the product to this C instead of making a new one. */
  into?: Tensor;
  /** Bias [N] added to every row; not together with `into`. */
  bias?: Tensor;
  /** Tile and splits in place of those that `pickTile` chooses: for tests and measurements. */
  plan?: (M: number, N: number, K: number) => Plan;
}

/** C [M, N] = op(a) op(b). */
export function productKernel(a: Tensor, b: Tensor, { transpose_a = false, transpose_b = false, into, bias, plan }: ProductOptions = {}): Tensor {
  const [a0, a1] = dims2(a.shape), [b0, b1] = dims2(b.shape), [M, K] = transpose_a ? [a1, a0] : [a0, a1], N = transpose_b ? b0 : b1;
  if ((transpose_b ? b1 : b0) !== K) throw new Error(`matmul: [${a.shape.join(', ')}] and [${b.shape.join(', ')}] do not fit (transposed: ${transpose_a}, ${transpose_b}).`);
  const { tile: t, splits, k_per_split, workgroups } = plan ? plan(M, N, K) : pickTile(deviceClass(), M, N, K);
  const epilogue = into ? 'accumulate' : bias ? 'bias' : 'none', c = into ?? output([M, N]);
  const variant: Variant = {
    transpose_a, transpose_b, vec_a: a1 % 4 === 0, vec_b: b1 % 4 === 0, vec_c: N % 4 === 0, k_edge: K % t.BK !== 0,
    epilogue: splits > 1 ? 'none' : epilogue,
  };
  const name = `matmul ${transpose_a ? 't' : 'n'}${transpose_b ? 't' : 'n'} ${M}x${N}x${K} ${t.name}`, biases = bias ? [bias] : [];
  const params = [['u32', M], ['u32', N], ['u32', K], ['u32', k_per_split]] as const;
  const code = matmulCode(t, variant);
  if (splits === 1) {
    dispatch({ name, code, writes: into ? [] : [c], updates: into ? [into] : [], reads: [a, b, ...biases], params, workgroups });
    return c;
  }
  const partials = output([splits, M, N]);
  dispatch({ name: `${name} split ${splits}`, code, writes: [partials], reads: [a, b], params, workgroups });
  sumPartials(partials, [M, N], splits, { into: c, epilogue, bias });
  partials.dispose();
  return c;
}

interface SumOptions { into?: Tensor; epilogue?: Variant['epilogue']; bias?: Tensor }
/** Adds up `parts` results that lie one after another, in order: to `into` (added, unless the epilogue says otherwise) or a new tensor. */
export function sumPartials(partials: Tensor, shape: readonly number[], parts: number, { into, bias, epilogue = into ? 'accumulate' : 'none' }: SumOptions = {}): Tensor {
  const c = into ?? output(shape), updates = epilogue === 'accumulate';
  dispatch({
    name: `sum_partials ${parts}x${c.size}`, code: reduceCode(epilogue), writes: updates ? [] : [c], updates: updates ? [c] : [], reads: bias ? [partials, bias] : [partials],
    params: [['u32', c.size], ['u32', parts], ...(bias ? [['u32', bias.size] as const] : [])], workgroups: grid(Math.ceil(c.size / 64)),
  });
  return c;
}
