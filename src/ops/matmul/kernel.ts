/** Dispatching a matrix product on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid, output, storageFor, storageOf } from '../../backend/index.ts';
import type { Activation } from '../activation/functions.ts';
import { dims2 } from '../host.ts';
import {
  type Epilogue,
  type Halves,
  PLAIN,
  type Slot,
  SLOT_NAMES,
  type SlotName,
  slotsOf,
} from './epilogue.ts';
import { planProduct } from './choices.ts';
import { FEW_ROWS, fewRowsCode, fewRowsPlan } from './few_rows.ts';
import { COLUMN_ROWS, columnsCode, reduceCode } from './columns.ts';
import { matmulCode, type Variant } from './generate.ts';
import { subgroupCode } from './subgroup.ts';
import { bySubgroups, type Plan } from './tile.ts';

/**
 * What is done to the product on its way to memory (`Epilogue`), with the tensors that it takes.
 */
export interface EpilogueOptions {
  /** Add the product to this C instead of making a new one. */
  into?: Tensor;
  /** Bias [N] added to every row. */
  bias?: Tensor;
  /** [M, N], added. */
  residual?: Tensor;
  /** C is the value before this activation; the value after it goes to `to` [M, N]. */
  apply?: { f: Activation; to: Tensor };
  /** The product is multiplied by this activation's derivative at `before` [M, N]. */
  derivative?: { f: Activation; before: Tensor };
  /** Sums of b's columns, [N]; b is not transposed then. */
  columns?: { to: Tensor; add: boolean };
}

export interface ProductOptions extends EpilogueOptions {
  transpose_a?: boolean;
  transpose_b?: boolean;
  /** Tile and splits in place of those that `pickTile` chooses: for tests and measurements. */
  plan?: (M: number, N: number, K: number) => Plan;
  /**
   * What is done to the source before it is compiled: for tests of features that their device has
   * not.
   */
  emulate?: (code: string) => string;
  /** C itself, written over: for measurements. */
  to?: Tensor;
}

/**
 * C [M, N] = op(a) op(b): an activation or the gradient of one, but where a is transposed, which is
 * how gradients of parameters are made.
 */
export function productKernel(
  a: Tensor,
  b: Tensor,
  {
    transpose_a = false,
    transpose_b = false,
    plan,
    to,
    emulate = (code) => code,
    ...all
  }: ProductOptions = {},
): Tensor {
  const [a0, a1] = dims2(a.shape);
  const [b0, b1] = dims2(b.shape);
  const [M, K] = transpose_a ? [a1, a0] : [a0, a1];
  const N = transpose_b ? b0 : b1;
  if ((transpose_b ? b1 : b0) !== K)
    throw new Error(
      `matmul: [${a.shape.join(', ')}] and [${b.shape.join(', ')}] do not fit (transposed: ${transpose_a}, ${transpose_b}).`,
    );
  if (
    !plan &&
    !transpose_a &&
    M <= FEW_ROWS &&
    !all.columns &&
    storageFor([M, N]) === 'float32' &&
    halvesOf({ ...tensorsOf(all, a), B: b }).size === 0
  )
    return fewRowsKernel(a, b, [M, N, K], transpose_b, to, all);
  const {
    tile: t,
    splits,
    k_per_split,
    workgroups,
    columns,
  } = plan
    ? plan(M, N, K)
    : planProduct(
        { transpose_a, transpose_b, M, N, K, columns: all.columns !== undefined },
        halvesOf({ A: a, B: b }).size > 0,
        all.apply !== undefined || all.derivative !== undefined,
      );
  const apart = columns === 'separate' ? all.columns : undefined;
  const options = { ...all, columns: apart ? undefined : all.columns };
  const variant = {
    transpose_a,
    transpose_b,
    vec_a: a1 % 4 === 0,
    vec_b: b1 % 4 === 0,
    vec_c: N % 4 === 0,
    m_edge: M % t.BM !== 0,
    n_edge: N % t.BN !== 0,
    k_edge: K % t.BK !== 0,
  };
  const name = `matmul ${transpose_a ? 't' : 'n'}${transpose_b ? 't' : 'n'} ${M}x${N}x${K} ${t.name}`;
  const params = [
    ['u32', M],
    ['u32', N],
    ['u32', K],
    ['u32', k_per_split],
  ] as const;
  const launch = (
    label: string,
    epilogue: Epilogue,
    tensors: Partial<Record<SlotName, Tensor>>,
  ): void => {
    const full: Variant = { ...variant, epilogue, halves: halvesOf({ ...tensors, A: a, B: b }) };
    dispatch({
      name: label,
      code: emulate(bySubgroups(t) ? subgroupCode(t, full) : matmulCode(t, full)),
      ...constantsOf(options, epilogue),
      ...bind(slotsOf(epilogue, ['A', 'B']), { ...tensors, A: a, B: b }),
      params,
      workgroups,
    });
  };
  const c = options.into ?? to ?? (transpose_a ? output([M, N]) : activation([M, N]));
  if (splits === 1) launch(name, epilogueOf(options), tensorsOf(options, c));
  else {
    const partials = output([splits, M, N]);
    const column_parts = apart ? columnParts(b) : options.columns && output([splits, N]);
    launch(
      `${name} split ${splits}`,
      { ...PLAIN, columns: options.columns ? 'write' : 'none' },
      { C: partials, columns: options.columns && column_parts },
    );
    // The parts of the sums of columns are added up in the same dispatch as those of C.
    sumInto(c, partials, splits, all, column_parts);
    partials.dispose();
    column_parts?.dispose();
  }
  if (apart && splits === 1) sumColumns(b, apart);
  return c;
}

function fewRowsKernel(
  a: Tensor,
  b: Tensor,
  [M, N, K]: [number, number, number],
  transpose_b: boolean,
  to: Tensor | undefined,
  options: EpilogueOptions,
): Tensor {
  const c = options.into ?? to ?? output([M, N]);
  const epilogue = epilogueOf(options);
  const { shape, workgroups } = fewRowsPlan(M, N, K, transpose_b);
  dispatch({
    name: `matmul n${transpose_b ? 't' : 'n'} ${M}x${N}x${K} few rows`,
    code: fewRowsCode(shape, epilogue),
    ...constantsOf(options, epilogue),
    ...bind(slotsOf(epilogue, ['A', 'B']), { ...tensorsOf(options, c), A: a, B: b }),
    params: [
      ['u32', M],
      ['u32', N],
      ['u32', K],
    ],
    workgroups,
  });
  return c;
}

/**
 * Adds up `parts` results that lie one after another, in order, and finishes what comes out: to
 * `into` (added) or a new tensor.
 */
export function sumPartials(
  partials: Tensor,
  shape: readonly number[],
  parts: number,
  options: EpilogueOptions = {},
  column_parts?: Tensor,
): Tensor {
  const c = options.into ?? output(shape);
  sumInto(c, partials, parts, options, column_parts);
  return c;
}

function sumInto(
  c: Tensor,
  partials: Tensor,
  parts: number,
  options: EpilogueOptions,
  column_parts?: Tensor,
): void {
  const epilogue = epilogueOf(options);
  const N = c.shape[c.rank - 1] ?? 1;
  const vec = N % 4 === 0;
  const unit = vec ? 4 : 1;
  const values = c.size / unit;
  const columns = N / unit;
  const column_splits = column_parts?.shape[0] ?? 0;
  const tensors = { ...tensorsOf(options, c), partials, column_parts };
  dispatch({
    name: `sum_partials ${parts}x${c.size}`,
    code: reduceCode(epilogue, vec, halvesOf(tensors)),
    ...constantsOf(options, epilogue),
    ...bind(slotsOf(epilogue, column_parts ? ['partials', 'column_parts'] : ['partials']), tensors),
    params: [
      ['u32', values],
      ['u32', parts],
      ['u32', columns],
      ['u32', column_splits],
    ],
    workgroups: grid(Math.ceil((values + (column_parts ? columns : 0)) / 64)),
  });
}

/** The sums of a matrix's columns [parts, N], some rows each. */
function columnParts(x: Tensor): Tensor {
  const [n, N] = dims2(x.shape);
  const rows = Math.max(COLUMN_ROWS, Math.ceil(n / 32));
  const parts = Math.ceil(n / rows);
  const made = output([parts, N]);
  dispatch({
    name: `column_sums ${n}x${N}`,
    code: columnsCode(N % 4 === 0, storageOf(x) === 'float16'),
    writes: [made],
    reads: [x],
    params: [
      ['u32', n],
      ['u32', N % 4 === 0 ? N / 4 : N],
      ['u32', rows],
    ],
    workgroups: [Math.ceil(N / (N % 4 === 0 ? 64 : 16)), parts, 1],
  });
  return made;
}

/** The sums of a matrix's columns by kernels of their own. */
function sumColumns(x: Tensor, { to, add }: { to: Tensor; add: boolean }): void {
  const made = columnParts(x);
  sumInto(to, made, made.shape[0] ?? 1, add ? { into: to } : {});
  made.dispose();
}

const epilogueOf = (o: EpilogueOptions): Epilogue => ({
  accumulate: o.into !== undefined,
  bias: o.bias !== undefined,
  residual: o.residual !== undefined,
  activation: o.apply ? 'apply' : o.derivative ? 'derivative' : 'none',
  columns: o.columns ? (o.columns.add ? 'add' : 'write') : 'none',
});

const tensorsOf = (o: EpilogueOptions, c: Tensor): Partial<Record<SlotName, Tensor>> => ({
  C: c,
  activated: o.apply?.to,
  columns: o.columns?.to,
  bias: o.bias,
  residual: o.residual,
  before: o.derivative?.before,
});

const constantsOf = (o: EpilogueOptions, e: Epilogue): { constants?: Record<string, number> } => {
  const f = o.apply?.f ?? o.derivative?.f;
  return f && e.activation !== 'none' ? { constants: { ACTIVATION: f.code } } : {};
};

const halvesOf = (tensors: Partial<Record<SlotName, Tensor>>): Halves =>
  new Set(
    SLOT_NAMES.filter((name) => {
      const t = tensors[name];
      return t !== undefined && storageOf(t) === 'float16';
    }),
  );

/** The tensors of the slots, as `dispatch` takes them. */
function bind(
  slots: readonly Slot[],
  tensors: Partial<Record<SlotName, Tensor>>,
): { writes: Tensor[]; updates: Tensor[]; reads: Tensor[] } {
  const of = (access: Slot['access']): Tensor[] =>
    slots
      .filter((s) => s.access === access)
      .map(({ name }) => {
        const t = tensors[name];
        if (!t) throw new Error(`This product has no ${name}.`);
        return t;
      });
  return { writes: of('write'), updates: of('update'), reads: of('read') };
}
