/**
 * One case of one operation on one backend: its values, where results go, and how they are
 * compared.
 */
import { dispose, tensor, type Tensor } from '@tensorflow/tfjs-core';
import { readback, type Values } from '../backend/index.ts';
import {
  type HostTensor,
  type Hosts,
  type OpCase,
  type OpDefinition,
  recordOf,
  type Tensors,
} from '../ops/index.ts';
import { expectClose, type Tolerance } from './expect_close.ts';

/** What was compared, what could not be and why, and what was wrong. */
export interface Tally {
  compared: number;
  skipped: string[];
  failures: string[];
}

export interface Check<I extends string, A, O extends string, D extends I> {
  op: OpDefinition<I, A, O, D>;
  c: OpCase<I, A>;
  /** Names the operation, the case and the backend in messages. */
  title: string;
  hosts: Hosts<I>;
  /** The oracle's outputs. */
  expected: Hosts<O>;
  tally: Tally;
}

export const FORWARD: Tolerance = { atol: 1e-5, rtol: 1e-4 };
export const GRADIENT: Tolerance = { atol: 1e-4, rtol: 1e-3 };

export const toTensor = (h: HostTensor): Tensor =>
  tensor(
    h.dtype === 'int32' ? Int32Array.from(h.data) : Float32Array.from(h.data),
    [...h.shape],
    h.dtype,
  );
export const toTensors = <K extends string>(keys: readonly K[], hosts: Hosts<K>): Tensors<K> =>
  recordOf(keys, (k) => toTensor(hosts[k]));
export const filled = (h: HostTensor, value: number): Tensor =>
  tensor(new Float32Array(h.data.length).fill(value), [...h.shape]);

/** Values by name, in one read. */
export async function read<K extends string>(
  keys: readonly K[],
  tensors: Tensors<K>,
): Promise<Record<K, Values>> {
  const values = await readback(keys.map((k) => tensors[k]));
  return recordOf(keys, (k) => values[keys.indexOf(k)] ?? new Float32Array());
}

/** Disposes tensors of which some may be the same one, or gone already. */
export function release(...tensors: readonly Tensor[]): void {
  dispose([...new Set(tensors)].filter((t) => !t.isDisposed));
}

/** A case may loosen a tolerance; it says why where it does. */
export function compare(
  check: { tally: Tally; title: string; c: Partial<Tolerance> },
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  usual: Tolerance,
): void {
  check.tally.compared++;
  const tolerance = {
    atol: Math.max(usual.atol, check.c.atol ?? 0),
    rtol: Math.max(usual.rtol, check.c.rtol ?? 0),
  };
  attempt(check, () => {
    expectClose(actual, expected, tolerance, what);
  });
}

/** Runs a step of the check; what it throws is a failure of the case, and nothing comes back. */
export function attempt<T>(check: { tally: Tally; title: string }, step: () => T): T | undefined {
  try {
    return step();
  } catch (error) {
    check.tally.failures.push(
      `${check.title}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}
