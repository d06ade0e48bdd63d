/**
 * What happens to a product on its way to memory: in the product's own kernel, or, where K is
 * split, in the kernel that adds up the parts. Everything elementwise around a product belongs
 * here: it then costs no dispatch of its own.
 */
import { HALVES } from '../../backend/index.ts';
import { activationCode, activationCodeOfFour } from '../activation/kernels.ts';

export interface Epilogue {
  /** C is added to instead of written. */
  accumulate: boolean;
  /** bias [N] is added to every row. */
  bias: boolean;
  /** residual [M, N] is added. */
  residual: boolean;
  /**
   * `apply`: C is what comes before the activation (backward needs it), and activation(C) goes to
   * `activated`. `derivative`: the product is multiplied by the activation's derivative at
   * `before`.
   */
  activation: 'none' | 'apply' | 'derivative';
  /**
   * Sums over the rows of B (as it lies in memory, [K, N]) go to `columns` [N], written or added: B
   * is read anyway.
   */
  columns: 'none' | 'write' | 'add';
}
export const PLAIN: Epilogue = {
  accumulate: false,
  bias: false,
  residual: false,
  activation: 'none',
  columns: 'none',
};

export const SLOT_NAMES = [
  'C',
  'activated',
  'columns',
  'A',
  'B',
  'partials',
  'column_parts',
  'bias',
  'residual',
  'before',
] as const;
export type SlotName = (typeof SLOT_NAMES)[number];
export interface Slot {
  name: SlotName;
  access: 'write' | 'update' | 'read';
}

/**
 * The bindings in order (as `dispatch` takes them): what is written, what is updated, what is read.
 */
export function slotsOf(e: Epilogue, sources: readonly SlotName[]): Slot[] {
  const slots: Slot[] = [{ name: 'C', access: e.accumulate ? 'update' : 'write' }];
  if (e.activation === 'apply') slots.push({ name: 'activated', access: 'write' });
  if (e.columns !== 'none')
    slots.push({ name: 'columns', access: e.columns === 'add' ? 'update' : 'write' });
  const reads: SlotName[] = [...sources];
  if (e.bias) reads.push('bias');
  if (e.residual) reads.push('residual');
  if (e.activation === 'derivative') reads.push('before');
  slots.push(...reads.map((name): Slot => ({ name, access: 'read' })));
  return (['write', 'update', 'read'] as const).flatMap((access) =>
    slots.filter((s) => s.access === access),
  );
}

/**
 * Slots whose tensors are stored as halves: their rows are multiples of four values, and are read
 * and written so.
 */
export type Halves = ReadonlySet<SlotName>;
export const NO_HALVES: Halves = new Set();
/** The values of a slot's element at a place; and such values as the slot stores them. */
export const loaded = (halves: Halves, name: SlotName, at: string): string =>
  halves.has(name) ? `from_halves(${name}[${at}])` : `${name}[${at}]`;
const stored = (halves: Halves, name: SlotName, value: string): string =>
  halves.has(name) ? `to_halves(${value})` : value;

/** Declares the bindings, and the uniform `p` after them. */
export function bindingsCode(
  slots: readonly Slot[],
  halves: Halves,
  element: (name: SlotName) => string,
): string {
  const declared = slots.map(
    (s, i) =>
      `@group(0) @binding(${i}) var<storage, ${s.access === 'read' ? 'read' : 'read_write'}> ${s.name}: array<${halves.has(s.name) ? 'vec2u' : element(s.name)}>;`,
  );
  return [...declared, `@group(0) @binding(${slots.length}) var<uniform> p: Params;`].join('\n');
}

/**
 * What `finish` takes from memory, each with the index that it is read at: `i` the place in C, `n`
 * the column.
 */
export function finishReads(
  e: Epilogue,
): { name: 'bias' | 'residual' | 'before' | 'C'; at: 'i' | 'n' }[] {
  return [
    ...(e.bias ? [{ name: 'bias', at: 'n' } as const] : []),
    ...(e.residual ? [{ name: 'residual', at: 'i' } as const] : []),
    ...(e.activation === 'derivative' ? [{ name: 'before', at: 'i' } as const] : []),
    ...(e.accumulate ? [{ name: 'C', at: 'i' } as const] : []),
  ];
}

/**
 * WGSL `finish(i, v, ...)`: stores the value (or four neighbours) of place i of C. What it needs
 * from memory (`finishReads`) it is given: a caller that stores many values reads for several of
 * them first, since a compiler may not move a read across a store that could go to the same place,
 * and each read would be waited for alone.
 */
export function finishCode(e: Epilogue, vec: boolean, halves: Halves): string {
  const T = vec ? 'vec4f' : 'f32';
  return `${halves.size > 0 ? HALVES : ''}
${e.activation === 'none' ? '' : vec ? activationCodeOfFour : activationCode}
fn finish(i: u32, v: ${T}${finishReads(e)
    .map((r) => `, ${r.name}_value: ${T}`)
    .join('')}) {
  var c = v;
  ${e.bias ? 'c += bias_value;' : ''}
  ${e.residual ? 'c += residual_value;' : ''}
  ${e.activation === 'derivative' ? 'c *= derivative_at(before_value);' : ''}
  ${e.accumulate ? 'c += C_value;' : ''}
  C[i] = ${stored(halves, 'C', 'c')};
  ${e.activation === 'apply' ? `activated[i] = ${stored(halves, 'activated', 'value_at(c)')};` : ''}
}`;
}

/** A call of `finish` that reads on the spot. */
export const finishNow = (e: Epilogue, halves: Halves, i: string, n: string, v: string): string =>
  `finish(${[i, v, ...finishReads(e).map((r) => loaded(halves, r.name, r.at === 'i' ? i : n))].join(', ')})`;
