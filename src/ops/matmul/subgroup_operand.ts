/** The operands of a matmul with subgroup matrices, and their way to shared memory. */
import { lines } from './text.ts';
import { ThreadUnits } from './thread_units.ts';
import { type SubgroupTile, threadsOf } from './tile.ts';
import type { Variant } from './variant.ts';

/** float16 values of padding in a row of shared memory. */
export const PADDING = 8;

/** A or B. Its tile in shared memory has memory's own orientation: `rows` rows of `columns`. */
export interface SubgroupOperand {
  name: 'A' | 'B';
  /** Prefix of the operand's variables in WGSL. */
  prefix: 'a' | 'b';
  /** First float16 value in shared memory. */
  offset: number;
  /** WGSL names: the whole size along m or n, the tile's first m or n, the subgroup's first. */
  size: 'M' | 'N';
  first: 'm0' | 'n0';
  subgroup: 'wm' | 'wn';
  /** k is the slow index in memory. */
  k_is_slow: boolean;
  rows: number;
  columns: number;
  stride: number;
  edge: boolean;
  /** Stored as float16; otherwise float32, and rounded on the way to shared memory. */
  float16: boolean;
}

export type SubgroupOperands = readonly [a: SubgroupOperand, b: SubgroupOperand];

export function subgroupOperandsOf(tile: SubgroupTile, variant: Variant): SubgroupOperands {
  const layout = (k_is_slow: boolean, block: number) => ({
    k_is_slow,
    rows: k_is_slow ? tile.BK : block,
    columns: k_is_slow ? block : tile.BK,
    stride: (k_is_slow ? block : tile.BK) + PADDING,
  });
  const a = layout(variant.transpose_a, tile.BM);
  const b = layout(!variant.transpose_b, tile.BN);
  return [
    {
      name: 'A',
      prefix: 'a',
      offset: 0,
      size: 'M',
      first: 'm0',
      subgroup: 'wm',
      edge: variant.m_edge,
      float16: variant.float16.has('A'),
      ...a,
    },
    {
      name: 'B',
      prefix: 'b',
      offset: a.rows * a.stride,
      size: 'N',
      first: 'n0',
      subgroup: 'wn',
      edge: variant.n_edge,
      float16: variant.float16.has('B'),
      ...b,
    },
  ];
}

/** WGSL of one operand's staging. */
export interface SubgroupStaging {
  /** Where the thread's units lie, computed once. */
  setup: string;
  /** Declares the registers. */
  declare: string;
  /** Reads the tile that begins at `k` into registers. */
  load: (k: string) => string;
  /** Stores the registers to shared memory, as float16. */
  store: string;
}

/**
 * A thread reads vec4 of the tile and stores each as four float16 values. In the generated code, p
 * is the operand's prefix and s the step: `pr{s}` is the row of the tile, `pc{s}` the vec4 in it,
 * `pat{s}` its index in memory, `p{s}` its value.
 */
export function subgroupStaging(
  operand: SubgroupOperand,
  tile: SubgroupTile,
  k_edge: boolean,
): SubgroupStaging {
  const { name, prefix: p, size, first, k_is_slow, float16 } = operand;
  const across = operand.columns / 4;
  const units = new ThreadUnits(operand.rows * across, across, threadsOf(tile));
  const empty = float16 ? 'vec2u()' : 'vec4f()';
  const clamped = (index: string, limit: string): string =>
    operand.edge ? `min(${index}, ${limit} - 1u)` : `(${index})`;
  const memoryIndex = (s: number): string =>
    k_is_slow
      ? `${p}r${s} * (${size} >> 2u) + ${clamped(`(${first} >> 2u) + ${p}c${s}`, `(${size} >> 2u)`)}`
      : `${clamped(`${first} + ${p}r${s}`, size)} * (K >> 2u) + ${p}c${s}`;
  const loadUnit = (s: number, k: string): string => {
    const offset = k_is_slow ? `${k} * (${size} >> 2u)` : `(${k} >> 2u)`;
    const load = `${p}${s} = ${name}[${p}at${s} + ${offset}];`;
    if (!k_edge) return load;
    const step = k_is_slow ? `${p}r${s}` : `${p}c${s} * 4u`;
    return `${load} if (${k} + ${step} >= k_end) { ${p}${s} = ${empty}; }`;
  };
  const storeUnit = (s: number): string => {
    const packed = float16
      ? `${p}${s}`
      : `vec2u(pack2x16float(${p}${s}.xy), pack2x16float(${p}${s}.zw))`;
    const place = `${operand.offset}u + ${p}r${s} * ${operand.stride}u + ${p}c${s} * 4u`;
    return `pairs[(${place}) / 4u] = ${packed};`;
  };
  return {
    setup: lines(
      units.steps,
      (s) => `let ${p}r${s} = ${units.row(s)};
  let ${p}c${s} = ${units.column(s)};
  let ${p}at${s} = ${memoryIndex(s)};`,
    ),
    declare: lines(units.steps, (s) => `var ${p}${s} = ${empty};`),
    load: (k) => lines(units.steps, (s) => units.guarded(s, loadUnit(s, k))),
    store: lines(units.steps, (s) => units.guarded(s, storeUnit(s))),
  };
}
