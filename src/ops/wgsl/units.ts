/**
 * WGSL for buffers whose values a kernel takes four at a time, or one by one, and that may be
 * stored as halves.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { HALVES, storageOf } from '../../backend/index.ts';

/**
 * Values that a kernel takes at a time: four where rows allow it (those stored as halves always
 * do).
 */
export type Width = 1 | 4;
export const widthOf = (d: number): Width => (d % 4 === 0 ? 4 : 1);

/**
 * `alias Unit` (vec4f or f32), `columns_of(unit)` (the columns that a unit of a row holds),
 * `sum_of(Unit)` and, for each buffer by its name in WGSL: the type `NAME_stored` of its elements,
 * `get_NAME(element)`, a Unit, and `put_NAME(unit)`, an element.
 */
export function unitCode(width: Width, buffers: Readonly<Record<string, Tensor>>): string {
  const halves = Object.entries(buffers).map(
    ([name, t]) => [name, storageOf(t) === 'float16'] as const,
  );
  if (width === 1 && halves.some(([, half]) => half))
    throw new Error('Halves are read four at a time.');
  const unit = width === 4 ? 'vec4f' : 'f32';
  const access = ([name, half]: readonly [string, boolean]): string => `
alias ${name}_stored = ${half ? 'vec2u' : unit};
fn get_${name}(v: ${name}_stored) -> Unit { return ${half ? 'from_halves(v)' : 'v'}; }
fn put_${name}(v: Unit) -> ${name}_stored { return ${half ? 'to_halves(v)' : 'v'}; }`;
  return `${halves.some(([, half]) => half) ? HALVES : ''}
const WIDTH = ${width}u;
alias Unit = ${unit};
alias Columns = ${width === 4 ? 'vec4u' : 'u32'};
fn sum_of(v: Unit) -> f32 { return ${width === 4 ? '(v.x + v.y) + (v.z + v.w)' : 'v'}; }
fn columns_of(unit: u32) -> Columns { return ${width === 4 ? '4u * unit + vec4u(0u, 1u, 2u, 3u)' : 'unit'}; }${halves.map(access).join('')}
`;
}
