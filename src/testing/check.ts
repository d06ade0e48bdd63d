/** One case of one operation: its values, the tally of its results, and how they are compared. */
import { dispose, tensor as makeTensor, type Tensor } from '@tensorflow/tfjs-core';
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

/** The number of comparisons, what was skipped and why, and what failed. */
export interface Tally {
  compared: number;
  skipped: string[];
  failures: string[];
}

/** What a comparison needs to know of its case. */
export interface CaseReport {
  tally: Tally;
  /** Names the operation, the case and the backend in messages. */
  title: string;
  /** A case may loosen a tolerance, and says why where it does. */
  c: Partial<Tolerance>;
}

export interface Check<I extends string, A, O extends string, D extends I> extends CaseReport {
  op: OpDefinition<I, A, O, D>;
  c: OpCase<I, A>;
  hosts: Hosts<I>;
  /** The oracle's outputs. */
  expected: Hosts<O>;
}

export const FORWARD: Tolerance = { atol: 1e-5, rtol: 1e-4 };
export const GRADIENT: Tolerance = { atol: 1e-4, rtol: 1e-3 };

export function toTensor(host: HostTensor): Tensor {
  const ArrayType = host.dtype === 'int32' ? Int32Array : Float32Array;
  return makeTensor(ArrayType.from(host.data), [...host.shape], host.dtype);
}

export function toTensors<K extends string>(keys: readonly K[], hosts: Hosts<K>): Tensors<K> {
  return recordOf(keys, (key) => toTensor(hosts[key]));
}

/** Tensors of those keys that have values. */
export function toSomeTensors<K extends string>(
  keys: readonly K[],
  hosts: Partial<Hosts<K>>,
): Partial<Tensors<K>> {
  const tensors: Partial<Tensors<K>> = {};
  for (const key of keys) {
    const host = hosts[key];
    if (host) tensors[key] = toTensor(host);
  }
  return tensors;
}

/** A tensor of the host tensor's shape with one value everywhere. */
export function filled(host: HostTensor, value: number): Tensor {
  return makeTensor(new Float32Array(host.data.length).fill(value), [...host.shape]);
}

/** Reads named tensors back, in one copy. */
export async function read<K extends string>(
  keys: readonly K[],
  tensors: Tensors<K>,
): Promise<Record<K, Values>> {
  const values = await readback(keys.map((key) => tensors[key]));
  return recordOf(keys, (key) => values[keys.indexOf(key)] ?? new Float32Array());
}

/** Disposes tensors, some of which may be equal or disposed already. */
export function release(...tensors: readonly Tensor[]): void {
  dispose([...new Set(tensors)].filter((tensor) => !tensor.isDisposed));
}

/** Disposes the tensors of these keys, as far as they exist. */
export function releaseAll<K extends string>(
  keys: readonly K[],
  tensors: Partial<Tensors<K>>,
): void {
  release(...keys.flatMap((key) => tensors[key] ?? []));
}

export interface Comparison {
  actual: ArrayLike<number>;
  expected: ArrayLike<number>;
  /** The tolerance, unless the case has a looser one. */
  usual: Tolerance;
}

/** Counts the comparison, and lists it among the failures if the values are not close. */
export function compare(report: CaseReport, what: string, comparison: Comparison): void {
  const { actual, expected, usual } = comparison;
  report.tally.compared++;
  const tolerance = {
    atol: Math.max(usual.atol, report.c.atol ?? 0),
    rtol: Math.max(usual.rtol, report.c.rtol ?? 0),
  };
  attempt(report, () => expectClose(actual, expected, tolerance, what));
}

/** Runs a step of the check. An error that it throws is listed as a failure of the case. */
export function attempt<T>(
  report: Pick<CaseReport, 'tally' | 'title'>,
  step: () => T,
): T | undefined {
  try {
    return step();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    report.tally.failures.push(`${report.title}: ${message}`);
    return undefined;
  }
}
