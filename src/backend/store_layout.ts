/** How the tensors of a Store lie in its buffers. */
import type { StorageType } from './float16.ts';

export interface Spec {
  name: string;
  shape: readonly number[];
  dtype?: 'float32' | 'int32';
  /**
   * How the values are stored; float32 by default. Float16 needs WebGPU, and rows of a multiple of
   * four values.
   */
  storage?: StorageType;
}

/** Bindings begin at multiples of this (the default of `minStorageBufferOffsetAlignment`). */
const ALIGN = 256;

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Bytes of the tensor's values as they are stored. */
export function bytesOf({ shape, storage }: Spec): number {
  return Math.max(4, sizeOf(shape) * (storage === 'float16' ? 2 : 4));
}

/** The tensors of one buffer and its size. */
export interface Group {
  names: string[];
  bytes: number;
}

export interface Layout {
  groups: Group[];
  /** Index of the group that holds the tensor, and its offset there in bytes. */
  places: Map<string, { chunk: number; offset: number }>;
}

/** Fills one buffer after the other, in order, each up to `limit` bytes. */
export function layoutOf(specs: readonly Spec[], limit: number): Layout {
  const groups: Group[] = [];
  const places: Layout['places'] = new Map();
  for (const spec of specs) {
    const bytes = Math.ceil(bytesOf(spec) / ALIGN) * ALIGN;
    let group = groups.at(-1);
    if (!group || group.bytes + bytes > limit) {
      group = { names: [], bytes: 0 };
      groups.push(group);
    }
    places.set(spec.name, { chunk: groups.length - 1, offset: group.bytes });
    group.names.push(spec.name);
    group.bytes += bytes;
  }
  return { groups, places };
}
