/**
 * The epilogue of a matmul: what is done to C on its way to memory, by the matmul's own kernel or,
 * if K is split, by the kernel that adds up the parts. Elementwise work next to a matmul belongs
 * here, where it costs no dispatch of its own.
 */
import { HALVES } from '../../backend/index.ts';
import { activationCode, activationCodeOfFour } from '../activation/kernels.ts';

export interface Epilogue {
  /** The result is added to C instead of replacing it. */
  accumulate: boolean;
  /** bias [N] is added to every row. */
  bias: boolean;
  /** residual [M, N] is added. */
  residual: boolean;
  /**
   * `apply`: C is the pre-activation, which backward needs, and activation(C) is stored in
   * `activated`. `derivative`: the result is multiplied by the activation's derivative at `before`.
   */
  activation: 'none' | 'apply' | 'derivative';
  /**
   * The sums over the rows of B (as stored, [K, N]) are written, or added, to `columns` [N]: the
   * kernel reads B anyway.
   */
  columns: 'none' | 'write' | 'add';
}

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
/** Names of the kernels' buffers. */
export type SlotName = (typeof SLOT_NAMES)[number];

/** A binding of a kernel. */
export interface Slot {
  name: SlotName;
  access: 'write' | 'update' | 'read';
}

/** The bindings in the order that `dispatch` expects: writes, updates, reads. */
export function slotsOf(epilogue: Epilogue, sources: readonly SlotName[]): Slot[] {
  const slots: Slot[] = [{ name: 'C', access: epilogue.accumulate ? 'update' : 'write' }];
  if (epilogue.activation === 'apply') slots.push({ name: 'activated', access: 'write' });
  if (epilogue.columns !== 'none')
    slots.push({ name: 'columns', access: epilogue.columns === 'add' ? 'update' : 'write' });
  const reads: SlotName[] = [...sources];
  if (epilogue.bias) reads.push('bias');
  if (epilogue.residual) reads.push('residual');
  if (epilogue.activation === 'derivative') reads.push('before');
  slots.push(...reads.map((name): Slot => ({ name, access: 'read' })));
  return (['write', 'update', 'read'] as const).flatMap((access) =>
    slots.filter((slot) => slot.access === access),
  );
}

/**
 * Slots whose tensors are stored as float16. Their rows are multiples of four values, which are
 * read and written as one vec2u.
 */
export type Float16Slots = ReadonlySet<SlotName>;
export const NO_FLOAT16: Float16Slots = new Set();

/** WGSL expression for the values of a slot's element at an index. */
export const loaded = (float16: Float16Slots, name: SlotName, index: string): string =>
  float16.has(name) ? `from_halves(${name}[${index}])` : `${name}[${index}]`;
const stored = (float16: Float16Slots, name: SlotName, value: string): string =>
  float16.has(name) ? `to_halves(${value})` : value;

/** Declares the bindings, and the uniform `p` after them. `element`: type of a float32 element. */
export function bindingsCode(
  slots: readonly Slot[],
  float16: Float16Slots,
  element: (name: SlotName) => string,
): string {
  const declared = slots.map(({ name, access }, i) => {
    const mode = access === 'read' ? 'read' : 'read_write';
    const type = float16.has(name) ? 'vec2u' : element(name);
    return `@group(0) @binding(${i}) var<storage, ${mode}> ${name}: array<${type}>;`;
  });
  return [...declared, `@group(0) @binding(${slots.length}) var<uniform> p: Params;`].join('\n');
}

export interface FinishRead {
  name: 'bias' | 'residual' | 'before' | 'C';
  /** `i` is the index in C, `n` the column. */
  index: 'i' | 'n';
}

/** What `finish` needs from memory. */
export function finishReads(epilogue: Epilogue): FinishRead[] {
  const reads: FinishRead[] = [];
  if (epilogue.bias) reads.push({ name: 'bias', index: 'n' });
  if (epilogue.residual) reads.push({ name: 'residual', index: 'i' });
  if (epilogue.activation === 'derivative') reads.push({ name: 'before', index: 'i' });
  if (epilogue.accumulate) reads.push({ name: 'C', index: 'i' });
  return reads;
}

/** WGSL of the activation functions, if the epilogue uses any. */
function activationFunctions({ activation }: Epilogue, vec: boolean): string {
  if (activation === 'none') return '';
  return vec ? activationCodeOfFour : activationCode;
}

/**
 * WGSL `finish(i, v, ...)`: stores the value v of index i of C, or four neighbours if `vec`. The
 * values of `finishReads` are passed in, so that a caller that stores many values can read all of
 * them first: a compiler may not move a read across a store that could alias it, so each read would
 * be waited for alone.
 */
export function finishCode(epilogue: Epilogue, vec: boolean, float16: Float16Slots): string {
  const T = vec ? 'vec4f' : 'f32';
  const parameters = finishReads(epilogue).map(({ name }) => `, ${name}_value: ${T}`);
  const activated = stored(float16, 'activated', 'value_at(c)');
  return `${float16.size > 0 ? HALVES : ''}
${activationFunctions(epilogue, vec)}
fn finish(i: u32, v: ${T}${parameters.join('')}) {
  var c = v;
  ${epilogue.bias ? 'c += bias_value;' : ''}
  ${epilogue.residual ? 'c += residual_value;' : ''}
  ${epilogue.activation === 'derivative' ? 'c *= derivative_at(before_value);' : ''}
  ${epilogue.accumulate ? 'c += C_value;' : ''}
  C[i] = ${stored(float16, 'C', 'c')};
  ${epilogue.activation === 'apply' ? `activated[i] = ${activated};` : ''}
}`;
}

/** A call of `finish` that reads what it needs in place. `i`, `n`, `value`: WGSL expressions. */
export function finishNow(
  epilogue: Epilogue,
  float16: Float16Slots,
  { i, n, value }: { i: string; n: string; value: string },
): string {
  const values = finishReads(epilogue).map(({ name, index }) =>
    loaded(float16, name, index === 'i' ? i : n),
  );
  return `finish(${[i, value, ...values].join(', ')})`;
}
