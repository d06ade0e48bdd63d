/**
 * WGSL accessors for buffers that a kernel reads and writes four values at a time or one by one,
 * and that may be stored as float16.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { HALVES, storageOf } from '../../backend/index.ts';

/**
 * Values that a thread loads at once: four if rows are a multiple of four values long, else one.
 * Tensors stored as float16 always have such rows.
 */
export type Width = 1 | 4;
export const widthOf = (d: number): Width => (d % 4 === 0 ? 4 : 1);

/** What differs in WGSL between one value and four. */
interface UnitTypes {
  unit: string;
  columns: string;
  sum: string;
  columnsOfUnit: string;
}
const UNIT_TYPES: Record<Width, UnitTypes> = {
  1: { unit: 'f32', columns: 'u32', sum: 'v', columnsOfUnit: 'unit' },
  4: {
    unit: 'vec4f',
    columns: 'vec4u',
    sum: '(v.x + v.y) + (v.z + v.w)',
    columnsOfUnit: '4u * unit + vec4u(0u, 1u, 2u, 3u)',
  },
};

/**
 * WGSL that defines `alias Unit` (vec4f or f32), `columns_of(unit)` (the columns that a unit of a
 * row holds), `sum_of(Unit)` and, for each buffer NAME in `buffers`: the type `NAME_stored` of its
 * elements, `get_NAME(element) -> Unit` and `put_NAME(Unit) -> element`.
 *
 * @throws if a buffer is stored as float16 and the width is 1.
 */
export function unitCode(width: Width, buffers: Readonly<Record<string, Tensor>>): string {
  const accessors = Object.entries(buffers).map(([name, tensor]) =>
    accessorCode(name, width, storageOf(tensor) === 'float16'),
  );
  const anyFloat16 = Object.values(buffers).some((tensor) => storageOf(tensor) === 'float16');
  const { unit, columns, sum, columnsOfUnit } = UNIT_TYPES[width];
  return `${anyFloat16 ? HALVES : ''}
const WIDTH = ${width}u;
alias Unit = ${unit};
alias Columns = ${columns};
fn sum_of(v: Unit) -> f32 { return ${sum}; }
fn columns_of(unit: u32) -> Columns { return ${columnsOfUnit}; }${accessors.join('')}
`;
}

function accessorCode(name: string, width: Width, float16: boolean): string {
  if (float16 && width === 1) throw new Error('float16 values are read four at a time.');
  const stored = float16 ? 'vec2u' : UNIT_TYPES[width].unit;
  return `
alias ${name}_stored = ${stored};
fn get_${name}(v: ${name}_stored) -> Unit { return ${float16 ? 'from_halves(v)' : 'v'}; }
fn put_${name}(v: Unit) -> ${name}_stored { return ${float16 ? 'to_halves(v)' : 'v'}; }`;
}

/**
 * WGSL for a function over a unit, from a function over one number: calls `scalarCall` on each
 * component. `scalarCall` gets the WGSL expression of the component.
 */
export function mapUnit(width: Width, unit: string, scalarCall: (value: string) => string): string {
  if (width === 1) return scalarCall(unit);
  const calls = ['x', 'y', 'z', 'w'].map((component) => scalarCall(`${unit}.${component}`));
  return `vec4(${calls.join(', ')})`;
}
