/** Dispatches a matrix product on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output, storageFor, storageOf } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { remembered } from '../wgsl/index.ts';
import {
  bind,
  epilogueConstants,
  epilogueOf,
  type EpilogueOptions,
  epilogueTensors,
  float16SlotsOf,
  type SlotTensors,
} from './bindings.ts';
import { planMatmul } from './choices.ts';
import { slotsOf } from './epilogue.ts';
import { FEW_ROWS, fewRowsCode, fewRowsPlan } from './few_rows.ts';
import { matmulCode } from './generate.ts';
import type { MatmulSize, Plan } from './plan.ts';
import { matmulSizeOf } from './sizes.ts';
import { subgroupCode } from './subgroup.ts';
import { partialColumnSums, sumColumns, sumPartialsTo } from './sum_partials.ts';
import { isSubgroupTile } from './tile.ts';
import type { Variant } from './variant.ts';

const ofTiles = remembered(matmulCode);
const ofSubgroups = remembered(subgroupCode);

export interface MatmulOptions extends EpilogueOptions {
  transpose_a?: boolean;
  transpose_b?: boolean;
  /** Replaces `planMatmul`; for tests and measurements. */
  plan?: (size: MatmulSize) => Plan;
  /** Rewrites the source before it is compiled, to emulate features that the device lacks. */
  emulate?: (code: string) => string;
  /** C, overwritten; by default, a new tensor. */
  to?: Tensor;
}

/** A matmul whose sizes are known. */
interface Matmul extends MatmulSize {
  a: Tensor;
  b: Tensor;
  transpose_a: boolean;
  transpose_b: boolean;
  options: MatmulOptions;
}

/**
 * C [M, N] = op(a) op(b), with an epilogue. A new C is stored as activations are, unless a is
 * transposed: only weight gradients transpose a, and they are float32.
 *
 * Throws if the shapes do not fit.
 */
export function matmulKernel(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const matmul = settle(a, b, options);
  if (hasFewRows(matmul)) return runFewRows(matmul);
  const plan = options.plan?.(matmul) ?? defaultPlan(matmul);
  const c =
    options.into ??
    options.to ??
    (matmul.transpose_a ? output([matmul.M, matmul.N]) : activation([matmul.M, matmul.N]));
  if (plan.splits === 1) runWhole(matmul, plan, c);
  else runSplit(matmul, plan, c);
  return c;
}

function settle(a: Tensor, b: Tensor, options: MatmulOptions): Matmul {
  const { transpose_a = false, transpose_b = false } = options;
  const { M, N, K } = matmulSizeOf(a.shape, b.shape, options);
  return { a, b, M, N, K, transpose_a, transpose_b, options };
}

const defaultPlan = ({ a, b, options, ...shape }: Matmul): Plan =>
  planMatmul(
    { ...shape, columns: options.columns !== undefined },
    storageOf(a) === 'float16' || (storageOf(b) === 'float16' && !isFloat16Weight(a, shape)),
    options.apply !== undefined || options.derivative !== undefined,
  );

/**
 * Whether only B can be stored as float16, as a frozen weight under float32 activations is. Such a
 * matmul has the plans of a float32 one, so that tuned plans apply and subgroup matrices do not.
 */
const isFloat16Weight = (a: Tensor, { transpose_a }: Pick<Matmul, 'transpose_a'>): boolean =>
  storageOf(a) === 'float32' && !transpose_a;

const formOf = ({ transpose_a, transpose_b, M, N, K }: Matmul): string =>
  `matmul ${transpose_a ? 't' : 'n'}${transpose_b ? 't' : 'n'} ${M}x${N}x${K}`;

/** Whether the kernel for few rows of A computes this matmul. */
function hasFewRows({ a, M, N, transpose_a, options }: Matmul): boolean {
  if (options.plan || options.columns || transpose_a || M > FEW_ROWS) return false;
  const float16 = float16SlotsOf(epilogueTensors(options, a));
  return storageFor([M, N]) === 'float32' && float16.size === 0;
}

function runFewRows(matmul: Matmul): Tensor {
  const { a, b, M, N, K, transpose_b, options } = matmul;
  const c = options.into ?? options.to ?? output([M, N]);
  const epilogue = epilogueOf(options);
  const float16_b = storageOf(b) === 'float16';
  const { shape, workgroups } = fewRowsPlan(matmul, { transpose_b, float16_b });
  dispatch({
    name: `${formOf(matmul)} few rows`,
    code: fewRowsCode(shape, epilogue),
    constants: epilogueConstants(options, epilogue),
    ...bind(slotsOf(epilogue, ['A', 'B']), { ...epilogueTensors(options, c), A: a, B: b }),
    params: [
      ['u32', M],
      ['u32', N],
      ['u32', K],
    ],
    workgroups,
  });
  return c;
}

/** One dispatch computes C, with the epilogue; sums of columns may take separate kernels. */
function runWhole(matmul: Matmul, plan: Plan, c: Tensor): void {
  const { b, options } = matmul;
  if (plan.columns === 'staged' || !options.columns) {
    runTiles(matmul, plan, options, epilogueTensors(options, c));
    return;
  }
  const withoutColumns = { ...options, columns: undefined };
  runTiles(matmul, plan, withoutColumns, epilogueTensors(withoutColumns, c));
  sumColumns(b, options.columns);
}

/**
 * One dispatch computes the parts of C, another adds them up with the epilogue. The partial sums of
 * columns are added up in the second dispatch as well.
 */
function runSplit(matmul: Matmul, plan: Plan, c: Tensor): void {
  const { b, M, N, options } = matmul;
  const { splits } = plan;
  const staged = options.columns && plan.columns === 'staged' ? options.columns : undefined;
  const partials = output([splits, M, N]);
  const columns = options.columns && (staged ? output([splits, N]) : partialColumnSums(b));
  runTiles(
    matmul,
    plan,
    { columns: staged && { to: staged.to, add: false } },
    { C: partials, columns: staged && columns },
  );
  sumPartialsTo(c, { tensor: partials, parts: splits, columns }, options);
  partials.dispose();
  columns?.dispose();
}

/** Dispatches the tiled kernel, with the epilogue of `options` over the given tensors. */
function runTiles(
  matmul: Matmul,
  plan: Plan,
  options: EpilogueOptions,
  epilogueSlots: SlotTensors,
): void {
  const { a, b, M, N, K } = matmul;
  const { emulate = (code: string): string => code } = matmul.options;
  const { tile, splits } = plan;
  const epilogue = epilogueOf(options);
  const tensors = { ...epilogueSlots, A: a, B: b };
  const variant: Variant = {
    transpose_a: matmul.transpose_a,
    transpose_b: matmul.transpose_b,
    vec_a: dims2(a.shape)[1] % 4 === 0,
    vec_b: dims2(b.shape)[1] % 4 === 0,
    vec_c: N % 4 === 0,
    m_edge: M % tile.BM !== 0,
    n_edge: N % tile.BN !== 0,
    k_edge: K % tile.BK !== 0,
    float16: float16SlotsOf(tensors),
    epilogue,
  };
  dispatch({
    name: `${formOf(matmul)} ${tile.name}${splits === 1 ? '' : ` split ${splits}`}`,
    code: emulate(isSubgroupTile(tile) ? ofSubgroups(tile, variant) : ofTiles(tile, variant)),
    constants: epilogueConstants(options, epilogue),
    ...bind(slotsOf(epilogue, ['A', 'B']), tensors),
    params: [
      ['u32', M],
      ['u32', N],
      ['u32', K],
      ['u32', plan.k_per_split],
    ],
    workgroups: plan.workgroups,
  });
}
