/**
 * What happens to a product on its way to memory: in the product's own kernel, or, where K is split, in the kernel that
 * adds up the parts. Everything elementwise around a product belongs here: it then costs no dispatch of its own.
 */
import { activationCode } from '../activation/kernels.ts';

export interface Epilogue {
  /** C is added to instead of written. */
  accumulate: boolean;
  /** bias [N] is added to every row. */
  bias: boolean;
  /** residual [M, N] is added. */
  residual: boolean;
  /**
   * `apply`: C is what comes before the activation (backward needs it), and activation(C) goes to `activated`.
   * `derivative`: the product is multiplied by the activation's derivative at `before`.
   */
  activation: 'none' | 'apply' | 'derivative';
  /** Sums over the rows of B (as it lies in memory, [K, N]) go to `columns` [N], written or added: B is read anyway. */
  columns: 'none' | 'write' | 'add';
}
export const PLAIN: Epilogue = { accumulate: false, bias: false, residual: false, activation: 'none', columns: 'none' };

export type SlotName = 'C' | 'activated' | 'columns' | 'A' | 'B' | 'partials' | 'column_parts' | 'bias' | 'residual' | 'before';
export interface Slot { name: SlotName; access: 'write' | 'update' | 'read' }

/** The bindings in order (as `dispatch` takes them): what is written, what is updated, what is read. */
export function slotsOf(e: Epilogue, sources: readonly SlotName[]): Slot[] {
  const slots: Slot[] = [{ name: 'C', access: e.accumulate ? 'update' : 'write' }];
  if (e.activation === 'apply') slots.push({ name: 'activated', access: 'write' });
  if (e.columns !== 'none') slots.push({ name: 'columns', access: e.columns === 'add' ? 'update' : 'write' });
  const reads: SlotName[] = [...sources];
  if (e.bias) reads.push('bias');
  if (e.residual) reads.push('residual');
  if (e.activation === 'derivative') reads.push('before');
  slots.push(...reads.map((name): Slot => ({ name, access: 'read' })));
  return (['write', 'update', 'read'] as const).flatMap((access) => slots.filter((s) => s.access === access));
}

/** Declares the bindings, and the uniform `p` after them. */
export function bindingsCode(slots: readonly Slot[], element: (name: SlotName) => string): string {
  const declared = slots.map((s, i) =>
    `@group(0) @binding(${i}) var<storage, ${s.access === 'read' ? 'read' : 'read_write'}> ${s.name}: array<${element(s.name)}>;`);
  return [...declared, `@group(0) @binding(${slots.length}) var<uniform> p: Params;`].join('\n');
}

/** WGSL `finish(i, n, v)`: stores the value (or four neighbours) of place i of C, in column n (or column n / 4). */
export function finishCode(e: Epilogue, vec: boolean): string {
  const each = (f: string, x: string): string => (vec ? `vec4f(${[...'xyzw'].map((c) => `${f}(${x}.${c})`).join(', ')})` : `${f}(${x})`);
  return `
${e.activation === 'none' ? '' : activationCode}
fn finish(i: u32, n: u32, v: ${vec ? 'vec4f' : 'f32'}) {
  var c = v;
  ${e.bias ? 'c += bias[n];' : ''}
  ${e.residual ? 'c += residual[i];' : ''}
  ${e.activation === 'derivative' ? `let u = before[i]; c *= ${each('derivative_at', 'u')};` : ''}
  ${e.accumulate ? 'C[i] += c;' : 'C[i] = c;'}
  ${e.activation === 'apply' ? `activated[i] = ${each('value_at', 'c')};` : ''}
}`;
}
