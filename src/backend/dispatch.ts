/** Running one WGSL kernel over tensors, now or into the program being traced. */
import type { Tensor } from '@tensorflow/tfjs-core';

/** A scalar of the kernel's uniform struct, in order; each takes 4 bytes (so the WGSL struct holds u32, i32 and f32 only). */
export type Param = readonly ['u32' | 'i32' | 'f32', number];

/**
 * One dispatch. Bindings of group 0 in order: `writes` (declared `var<storage, read_write>`), `updates` (read and
 * written in place, `read_write`), `reads` (`var<storage, read>`), then, if `params` is given, the uniform struct.
 * One buffer may not be bound both for reading and for writing.
 */
export interface Dispatch {
  /** Name in errors, profiles and the pipeline cache. */
  name: string;
  /** WGSL source; entry point `main`. */
  code: string;
  /** Pipeline-overridable constants (`override NAME: u32 = ...;`). */
  constants?: Record<string, number>;
  writes: readonly Tensor[];
  updates?: readonly Tensor[];
  reads: readonly Tensor[];
  params?: readonly Param[];
  /** Workgroup counts; use `grid` for more than 65535 in x. */
  workgroups: readonly [number, number, number];
}

/** True where `kernel` functions can run: on WebGPU. */
export function backendHasKernels(): boolean { throw new Error('not yet'); }

/** Dispatches the kernel now, or lists it in the program being traced. */
export function dispatch(_d: Dispatch): void { throw new Error('not yet'); }

/** A new tensor for a kernel to write: its contents are undefined until then. */
export function output(_shape: readonly number[], _dtype: 'float32' | 'int32' = 'float32'): Tensor { throw new Error('not yet'); }

/** target += source, in place; on WebGPU alone. */
export function addInPlace(_target: Tensor, _source: Tensor): void { throw new Error('not yet'); }

/** Splits `n` workgroups over x and y where x alone would pass the limit; the kernel's index is `id.y * x + id.x`. */
export function grid(n: number): [number, number, number] {
  const max = 65535;
  if (n <= max) return [n, 1, 1];
  const y = Math.ceil(n / max);
  return [Math.ceil(n / y), y, 1];
}
