/**
 * Each operation by itself at real sizes: our kernel, its reference in tfjs ops, and a copy of the
 * same bytes, all three replayed over and over in one submit. What fits the card's cache is
 * therefore faster here than in a step.
 */
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
import '../src/ops/alignment.ts';
import '../src/ops/generation.ts';
import {
  allOps,
  type AnyOp,
  prepareMatmuls,
  recordOf,
  run,
  withReferences,
} from '../src/ops/index.ts';
import type { ConfigName } from './configs.ts';
import { startDevice } from './device.ts';
import { type OpEntry, opEntries, sizeAttrs } from './ops_list.ts';

export interface OpRow {
  op: string;
  size: ConfigName;
  title: string;
  /**
   * Milliseconds of one run; null where the operation has no kernel, or no reference that can be
   * traced (`why`).
   */
  ms: number | null;
  referenceMs: number | null;
  /** A copy that reads and writes as many bytes as inputs and outputs have together. */
  copyMs: number | null;
  bytes: number | null;
  /**
   * Of inputs and outputs, each counted once, in the time of the kernel (or else of the reference).
   */
  gbPerSec: number | null;
  gflops: number | null;
  dispatches: number | null;
  why: string | null;
  adapter: string;
}

/**
 * `only`: names, or parts of them, with commas. An operation that fails stands among the rows with
 * the reason, and those after it are measured all the same; after the loss of the device they are
 * not. `keep` is given the rows so far.
 */
export async function measureOps(
  size: ConfigName,
  only: string | null,
  log: (line: string) => void,
  keep: (rows: OpRow[]) => void,
  entries = opEntries(size),
): Promise<OpRow[]> {
  const {
    device: { adapter },
    errors,
    lost,
  } = await startDevice('webgpu');
  const wanted = only?.split(',') ?? [''];
  await prepareMatmuls();
  const fence = new Store('fence', [{ name: 'fence', shape: [1] }]);
  const rows: OpRow[] = [];
  const copies = new Map<number, number>();
  for (const op of allOps())
    for (const entry of entries[op.name] ?? []) {
      if (!wanted.some((part) => op.name.includes(part))) continue;
      if (lost()) {
        rows.push({
          ...unmeasured(op, entry, size, errors[0] ?? 'The GPU device was lost.'),
          adapter,
        });
        continue;
      }
      errors.length = 0;
      const row = {
        ...(await measureOp(op, entry, size, fence, copies, errors).catch((error: unknown) =>
          unmeasured(op, entry, size, error instanceof Error ? error.message : String(error)),
        )),
        adapter,
      };
      if (errors[0] !== undefined) row.why = errors[0];
      rows.push(row);
      keep(rows);
      log(
        `${row.op} ${row.title}: ${row.ms?.toFixed(4) ?? '-'} ms, reference ${row.referenceMs?.toFixed(4) ?? '-'}, copy ${row.copyMs?.toFixed(4) ?? '-'}${row.why ? ` (${row.why})` : ''}`,
      );
    }
  fence.dispose();
  return rows;
}

const unmeasured = (
  op: AnyOp,
  entry: OpEntry,
  size: ConfigName,
  why: string,
): Omit<OpRow, 'adapter'> => ({
  op: op.name,
  size,
  title: entry.title,
  ms: null,
  referenceMs: null,
  copyMs: null,
  bytes: null,
  gbPerSec: null,
  gflops: null,
  dispatches: null,
  why,
});

/** A Store each: one dispatch may not bind one buffer both for reading and for writing. */
class Inputs {
  private readonly stores: Map<string, Store>;
  constructor(private readonly entry: OpEntry) {
    this.stores = new Map(
      Object.entries(entry.inputs).map(([name, { shape, dtype }]) => [
        name,
        new Store(name, [{ name, shape, dtype }]),
      ]),
    );
  }
  get tensors(): Tensor[] {
    return [...this.stores.keys()].map((name) => this.get(name));
  }
  get(name: string): Tensor {
    const store = this.stores.get(name);
    if (!store) throw new Error(`The list of inputs has no ${name}.`);
    return store.get(name);
  }
  write(): void {
    for (const [name, store] of this.stores)
      store.write(name, this.entry.inputs[name]?.values() ?? new Float32Array());
  }
  dispose(): void {
    for (const store of this.stores.values()) store.dispose();
  }
}

const bytesOf = (tensors: readonly { size: number }[]): number =>
  tensors.reduce((n, t) => n + 4 * t.size, 0);

async function measureOp(
  op: AnyOp,
  entry: OpEntry,
  size: ConfigName,
  fence: Store,
  copies: Map<number, number>,
  errors: string[],
): Promise<Omit<OpRow, 'adapter'>> {
  const inputs = new Inputs(entry);
  const reasons: string[] = [];
  const time = async (
    compile: () => Promise<Program>,
  ): Promise<{ ms: number; bytes: number; dispatches: number | null } | null> => {
    // In place, an operation writes over its inputs.
    inputs.write();
    try {
      const program = await compile();
      const bytes = bytesOf([...inputs.tensors, ...Object.values(program.outputs)]);
      try {
        const ms = await repeated(program, fence);
        const refused = errors.shift();
        // A command that was refused takes no time.
        if (refused !== undefined) throw new Error(refused);
        return { ms, bytes, dispatches: program.dispatches };
      } finally {
        program.dispose();
      }
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
      return null;
    }
  };
  try {
    const kernel = hasKernel(op) ? await time(() => compileOp(op, entry, size, inputs)) : null;
    const reference = await time(() => withReferences(() => compileOp(op, entry, size, inputs)));
    const best = kernel ?? reference;
    const bytes = best?.bytes ?? bytesOf(inputs.tensors);
    const half = Math.ceil(bytes / 8);
    const copyMs =
      copies.get(half) ??
      (await copyTime(half, fence).catch((error: unknown) => {
        reasons.push(`Copy: ${error instanceof Error ? error.message : String(error)}`);
        return null;
      }));
    if (copyMs !== null) copies.set(half, copyMs);
    return {
      op: op.name,
      size,
      title: entry.title,
      ms: kernel?.ms ?? null,
      referenceMs: reference?.ms ?? null,
      copyMs,
      bytes,
      gbPerSec: best ? bytes / best.ms / 1e6 : null,
      gflops: best && entry.flops ? entry.flops / best.ms / 1e6 : null,
      dispatches: kernel?.dispatches ?? null,
      why: reasons.join(' ') || null,
    };
  } finally {
    inputs.dispose();
  }
}

const hasKernel = (op: AnyOp): boolean => op.visit((o) => o.kernel !== null);

/**
 * A trace is made at the call, before anything is awaited. Outputs that are inputs written in place
 * belong to the Store.
 */
function compileOp(op: AnyOp, entry: OpEntry, size: ConfigName, inputs: Inputs): Promise<Program> {
  return op.visit((o) => {
    const like = o.cases.find((c) => c.name === entry.like) ?? o.cases[0];
    if (!like || (entry.like !== undefined && like.name !== entry.like))
      throw new Error(`${o.name} has no case ${entry.like}.`);
    const attrs = Object.assign({}, like.attrs, sizeAttrs(size));
    const tensors = recordOf(o.inputs, (name) => inputs.get(name));
    const stored = new Set<object>(inputs.tensors.map((t) => t.dataId));
    return compileProgram(`${o.name} alone`, (): Outputs => {
      const results: Record<string, Tensor> = run(o, tensors, attrs);
      return Object.fromEntries(Object.entries(results).filter(([, t]) => !stored.has(t.dataId)));
    });
  });
}

/**
 * Milliseconds of one run: enough of them in one submit to make the wait for their end small beside
 * them, the best of three.
 */
export async function repeated(program: Program, fence: Store): Promise<number> {
  const time = async (times: number): Promise<number> => {
    const begin = performance.now();
    submit(Array.from({ length: times }, () => program));
    // What is read back is ready once everything before it has run.
    await readback([fence.get('fence')]);
    return performance.now() - begin;
  };
  // The first run is slow for reasons of its own, and would pass for a long operation.
  await time(1);
  let times = 1;
  let ms = await time(1);
  while (ms < 40 && times < 4096) {
    times *= 4;
    ms = await time(times);
  }
  return Math.min(ms, await time(times), await time(times)) / times;
}

async function copyTime(values: number, fence: Store): Promise<number> {
  const store = new Store('copy', [{ name: 'from', shape: [values] }]);
  const target = new Store('copy', [{ name: 'to', shape: [values] }]);
  const program = await compileProgram('copy', (): Outputs => {
    copyInPlace(target.get('to'), store.get('from'));
    return {};
  });
  try {
    return await repeated(program, fence);
  } finally {
    program.dispose();
    store.dispose();
    target.dispose();
  }
}
