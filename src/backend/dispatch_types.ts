/** What a dispatch is. */
import type { Tensor } from '@tensorflow/tfjs-core';

/**
 * A scalar of the kernel's uniform struct, in order; each takes 4 bytes (so the WGSL struct holds
 * u32, i32 and f32 only).
 */
export type Param = readonly ['u32' | 'i32' | 'f32', number];

/**
 * One dispatch. Bindings of group 0 in order: `writes` (declared `var<storage, read_write>`),
 * `updates` (read and written in place, `read_write`), `reads` (`var<storage, read>`), then, if
 * `params` is given, the uniform struct. One buffer may not be bound both for reading and for
 * writing. The kernel must use every binding.
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
