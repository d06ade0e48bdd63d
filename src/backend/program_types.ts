/** The types of compiled programs and of what is submitted. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Arena } from './arena.ts';
import type { BufferRange, DeviceBuffer } from './buffer_range.ts';
import type { Values } from './values.ts';

export type Outputs = Record<string, Tensor>;

/**
 * An operation that runs on a tensor between two commands of a program and may take its time, such
 * as an all-reduce with other devices.
 */
export interface Collective {
  readonly name: string;
  /**
   * Reads the tensor (`readback`), may write it in place (`writeTensor`), and resolves when the
   * program may continue. Other programs may be submitted meanwhile.
   */
  run(tensor: Tensor): Promise<void> | void;
  /**
   * The same operation as a synchronous function of the values, for programs on WebGL, wasm and
   * cpu, whose functions can't pause.
   */
  runSync?(values: Values): Values;
}

/** A place in a program at which a collective runs and the program waits for it. */
export interface Boundary {
  /** The collective runs after command `command - 1` and before this one. */
  readonly command: number;
  /** Where the values are. */
  readonly range: BufferRange;
  /** A tensor over `range`, with the traced tensor's shape, dtype and storage type. */
  readonly tensor: Tensor;
  readonly collective: Collective;
}

export interface Program<O extends Outputs = Outputs> {
  readonly name: string;
  /** Results of the latest run. When replayed, each run overwrites them in place. */
  readonly outputs: O;
  /** Number of commands in one run; null where the program runs op by op. */
  readonly dispatches: number | null;
  /** Kernel name of each command, in order; empty where the program runs op by op. */
  readonly kernels: readonly string[];
  /**
   * Buffers outside of the program that it writes: parameters, gradients, optimizer state, caches.
   */
  readonly inPlace: readonly DeviceBuffer[];
  /**
   * In order of `command`. A program that has some is run by `submitWithBoundaries` alone. Empty
   * where the program runs op by op.
   */
  readonly boundaries: readonly Boundary[];
  /** Holds what is alive across boundaries; without one, the program has memory of its own for it. */
  readonly pool: Arena | undefined;
  /**
   * Bytes that this program alone holds: outputs, constants, uniforms, and tensors that are alive
   * across a boundary. Shared scratch and the pool are not included.
   */
  readonly ownBytes: number;
  /** Bytes of shared scratch that the program needs. */
  readonly scratchBytes: number;
  /** Throws if the program has boundaries. */
  run(): void;
  /**
   * Encodes the commands with index in [from, to), by default all, into a pass; null where the
   * program is not replayed on WebGPU. Boundaries are not applied.
   */
  readonly encode: ((pass: GPUComputePassEncoder, from?: number, to?: number) => void) | null;
  /** The same on the engine on the processor, where the commands have run when it returns. */
  readonly execute: ((from?: number, to?: number) => void) | null;
  dispose(): void;
}

/** A copy between buffers: a program's output into the slot of a Ring. */
export interface Copy {
  copy: BufferRange;
  to: BufferRange;
}

/** A part of one submit. */
export type SubmitItem = Program | Copy;

/** A part of `submitWithBoundaries`; `wait` runs between the items before it and those after. */
export type PartItem = SubmitItem | { wait: () => Promise<void> };
