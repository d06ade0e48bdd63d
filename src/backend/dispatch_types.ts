/** The description of a dispatch. */
import type { Tensor } from '@tensorflow/tfjs-core';

/** A scalar of a kernel's uniform struct, which has 4-byte members only (u32, i32, f32). */
export type Param = readonly ['u32' | 'i32' | 'f32', number];

/**
 * One dispatch. The bindings of group 0 are, in order: `writes` (declared `var<storage,
 * read_write>`), `updates` (read and written in place, `read_write`), `reads` (`var<storage,
 * read>`), then, if `params` is given, the uniform struct. One buffer may not be bound both
 * read-only and writable. The kernel must use every binding.
 */
export interface Dispatch {
  /** Name in errors and profiles. */
  name: string;
  /** WGSL source; its entry point is `main`. */
  code: string;
  /** Values of pipeline-overridable constants (`override NAME: u32 = ...;`). */
  constants?: Record<string, number>;
  writes: readonly Tensor[];
  updates?: readonly Tensor[];
  reads: readonly Tensor[];
  /** Members of the uniform struct, in order. */
  params?: readonly Param[];
  /** Workgroup counts; use `grid` for more than 65535 in x. */
  workgroups: readonly [number, number, number];
}

/**
 * One call of a kernel of `assembly/`. Its arguments are 32-bit words: the addresses of `writes`, of
 * `updates` (read and written in place) and of `reads` (0 where a tensor is absent), then `params`.
 * A tensor may not be both in `reads` and in one of the others.
 */
export interface ProcessorCall {
  /** Name of the kernel, as `assembly/` exports it. */
  kernel: string;
  /** Name in errors and profiles, by default the kernel's. */
  label?: string;
  writes: readonly Tensor[];
  updates?: readonly Tensor[];
  reads: readonly (Tensor | undefined)[];
  params?: readonly Param[];
}
