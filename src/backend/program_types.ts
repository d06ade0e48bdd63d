/** What a program is. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { BufferRange } from './tfjs_private.ts';

export type Outputs = Record<string, Tensor>;

export interface Program<O extends Outputs = Outputs> {
  readonly name: string;
  /**
   * Results and taps of the latest run; they stay where they are and are overwritten by the next
   * run.
   */
  readonly outputs: O;
  /** Commands of one run, or null where there are no programs (their number is then not known). */
  readonly dispatches: number | null;
  /** Names of the dispatches in order: what a profile groups by. */
  readonly kernels: readonly string[];
  /**
   * Buffers outside of the program that it writes: parameters, gradients, optimizer state, caches.
   */
  readonly inPlace: readonly GPUBuffer[];
  /**
   * Bytes that this program alone holds: kept outputs, constants and uniforms (scratch is shared).
   */
  readonly ownBytes: number;
  /** Bytes of scratch that it needs, planned. */
  readonly scratchBytes: number;
  run(): void;
  /**
   * Encodes the commands (or those with index in [from, to), for a profile) into a pass; null where
   * there are no programs.
   */
  readonly encode: ((pass: GPUComputePassEncoder, from?: number, to?: number) => void) | null;
  dispose(): void;
}

/**
 * What one submit is made of: programs, and copies of a program's output into a slot (of a Ring).
 */
export type SubmitItem = Program | { copy: BufferRange; to: BufferRange };
