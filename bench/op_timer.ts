/** Times one entry of the micro-benchmark. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  copyInPlace,
  type Outputs,
  type Program,
  readback,
  Store,
  submit,
} from '../src/backend/index.ts';
import {
  type BenchInput,
  type OpBench,
  type OpDefinition,
  recordOf,
  run,
  type Tensors,
  withReferences,
} from '../src/ops/index.ts';
import type { ConfigName } from './configs.ts';

export interface OpRow {
  op: string;
  size: ConfigName;
  title: string;
  /** Milliseconds of one run of the kernel; null if there is none, or it failed (`why`). */
  ms: number | null;
  /** The same of the reference; null if it cannot be traced (`why`). */
  referenceMs: number | null;
  /** A copy that reads and writes as many bytes in total as inputs and outputs have. */
  copyMs: number | null;
  bytes: number | null;
  /** Bytes of inputs and outputs over the time of the kernel, or else of the reference. */
  gbPerSec: number | null;
  gflops: number | null;
  dispatches: number | null;
  why: string | null;
  adapter: string;
}

/** The title of an entry; by default the shapes of its first two inputs. */
export function titleOf<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  { title, inputs }: OpBench<I, A>,
): string {
  const shapes = op.inputs.slice(0, 2).map((name) => inputs[name].shape.join('x'));
  return title ?? shapes.join(', ');
}

/** Input tensors, each in a Store: one dispatch cannot bind one buffer for reading and writing. */
class Inputs<I extends string> {
  readonly #stores: Record<I, Store>;
  readonly #names: readonly I[];
  readonly #inputs: Record<I, BenchInput>;

  constructor(names: readonly I[], inputs: Record<I, BenchInput>) {
    this.#names = names;
    this.#inputs = inputs;
    this.#stores = recordOf(names, (name) => {
      const { shape, dtype } = inputs[name];
      return new Store(name, [{ name, shape, dtype }]);
    });
  }

  get tensors(): Tensors<I> {
    return recordOf(this.#names, (name) => this.#stores[name].get(name));
  }

  /** All tensors; also those that an operation writes in place. */
  get list(): Tensor[] {
    return this.#names.map((name) => this.#stores[name].get(name));
  }

  write(): void {
    for (const name of this.#names) this.#stores[name].write(name, this.#inputs[name].values());
  }

  dispose(): void {
    for (const name of this.#names) this.#stores[name].dispose();
  }
}

const bytesOf = (tensors: readonly { size: number }[]): number =>
  tensors.reduce((bytes, tensor) => bytes + 4 * tensor.size, 0);

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

interface Timing {
  ms: number;
  bytes: number;
  dispatches: number | null;
}

/** Times operations on one device, one after another. */
export class OpTimer {
  readonly #size: ConfigName;
  readonly #adapter: string;
  /** Errors that the device reported. */
  readonly #errors: string[];
  readonly #fence = new Store('fence', [{ name: 'fence', shape: [1] }]);
  /** Milliseconds of a copy by number of values. */
  readonly #copies = new Map<number, number>();

  constructor(size: ConfigName, adapter: string, errors: string[]) {
    this.#size = size;
    this.#adapter = adapter;
    this.#errors = errors;
  }

  dispose(): void {
    this.#fence.dispose();
  }

  /** A row without times. */
  unmeasured<I extends string, A, O extends string, D extends I>(
    op: OpDefinition<I, A, O, D>,
    entry: OpBench<I, A>,
    why: string | null,
  ): OpRow {
    return {
      op: op.name,
      size: this.#size,
      title: titleOf(op, entry),
      ms: null,
      referenceMs: null,
      copyMs: null,
      bytes: null,
      gbPerSec: null,
      gflops: null,
      dispatches: null,
      why,
      adapter: this.#adapter,
    };
  }

  /** Times one entry. Failures are in the row's `why`. */
  async measure<I extends string, A, O extends string, D extends I>(
    op: OpDefinition<I, A, O, D>,
    entry: OpBench<I, A>,
  ): Promise<OpRow> {
    this.#errors.length = 0;
    let row: OpRow;
    try {
      row = await this.#times(op, entry);
    } catch (error) {
      row = this.unmeasured(op, entry, messageOf(error));
    }
    return { ...row, why: this.#errors[0] ?? row.why };
  }

  async #times<I extends string, A, O extends string, D extends I>(
    op: OpDefinition<I, A, O, D>,
    entry: OpBench<I, A>,
  ): Promise<OpRow> {
    const inputs = new Inputs(op.inputs, entry.inputs);
    const reasons: string[] = [];
    const fail = (reason: string): null => {
      reasons.push(reason);
      return null;
    };
    const compile = (): Promise<Program> => compileOp(op, inputs, entry.attrs);
    const time = async (compiled: () => Promise<Program>): Promise<Timing | null> => {
      // Written before each program, because operations that work in place overwrite their inputs.
      inputs.write();
      return this.#time(inputs, compiled).catch((error: unknown) => fail(messageOf(error)));
    };
    try {
      const kernel = op.kernel ? await time(compile) : null;
      const reference = await time(() => withReferences(compile));
      const best = kernel ?? reference;
      const bytes = best?.bytes ?? bytesOf(inputs.list);
      const copyMs = await this.#copyTime(Math.ceil(bytes / 8)).catch((error: unknown) =>
        fail(`Copy: ${messageOf(error)}`),
      );
      return {
        ...this.unmeasured(op, entry, reasons.join(' ') || null),
        ms: kernel?.ms ?? null,
        referenceMs: reference?.ms ?? null,
        copyMs,
        bytes,
        gbPerSec: best ? bytes / best.ms / 1e6 : null,
        gflops: best && entry.flops ? entry.flops / best.ms / 1e6 : null,
        dispatches: kernel?.dispatches ?? null,
      };
    } finally {
      inputs.dispose();
    }
  }

  /** Throws if the program does not compile or the device rejects a command. */
  async #time<I extends string>(
    inputs: Inputs<I>,
    compile: () => Promise<Program>,
  ): Promise<Timing> {
    const program = await compile();
    try {
      const bytes = bytesOf([...inputs.list, ...Object.values(program.outputs)]);
      const ms = await repeated(program, this.#fence);
      const rejected = this.#errors.shift();
      // A command that was rejected takes no time.
      if (rejected !== undefined) throw new Error(rejected);
      return { ms, bytes, dispatches: program.dispatches };
    } finally {
      program.dispose();
    }
  }

  async #copyTime(values: number): Promise<number> {
    const known = this.#copies.get(values);
    if (known !== undefined) return known;
    const source = new Store('copy', [{ name: 'from', shape: [values] }]);
    const target = new Store('copy', [{ name: 'to', shape: [values] }]);
    const program = await compileProgram('copy', (): Outputs => {
      copyInPlace(target.get('to'), source.get('from'));
      return {};
    });
    try {
      const ms = await repeated(program, this.#fence);
      this.#copies.set(values, ms);
      return ms;
    } finally {
      program.dispose();
      source.dispose();
      target.dispose();
    }
  }
}

/**
 * Compiles an operation as a program. The trace is made during the call, before anything is awaited.
 * Outputs that are inputs written in place belong to their Store, not to the program.
 */
function compileOp<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  inputs: Inputs<I>,
  attrs: A,
): Promise<Program> {
  const { tensors } = inputs;
  const stored = new Set<object>(inputs.list.map((tensor) => tensor.dataId));
  return compileProgram(`${op.name} alone`, (): Outputs => {
    const results: Record<string, Tensor> = run(op, tensors, attrs);
    return Object.fromEntries(
      Object.entries(results).filter(([, tensor]) => !stored.has(tensor.dataId)),
    );
  });
}

/**
 * Milliseconds of one run: the best of three submits, each with so many runs that waiting for the
 * end is short in comparison.
 */
export async function repeated(program: Program, fence: Store): Promise<number> {
  const time = async (times: number): Promise<number> => {
    const begin = performance.now();
    submit(Array.from({ length: times }, () => program));
    // The read-back is ready once everything before it has run.
    await readback([fence.get('fence')]);
    return performance.now() - begin;
  };
  // The first run is slow and would make the operation seem long.
  await time(1);
  let times = 1;
  let ms = await time(1);
  while (ms < 40 && times < 4096) {
    times *= 4;
    ms = await time(times);
  }
  return Math.min(ms, await time(times), await time(times)) / times;
}
