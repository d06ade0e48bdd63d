/**
 * A worker in which tests run every operation with several threads of the engine on the processor, as
 * the thread of a test's page may not wait.
 */
import { benchInputs, benchSizes } from '../../bench/ops_list.ts';
import { processor } from '../backend/state.ts';
import '../ops/alignment.ts';
import '../ops/parallel.ts';
import '../ops/generation.ts';
import { allOps, type OpDefinition, recordOf, run, type Tensors } from '../ops/index.ts';
import { filled, read, releaseAll, toTensor, toTensors } from '../testing/check.ts';
import { caseRandom, seedOf } from '../testing/random.ts';
import { startTested } from '../testing/start_once.ts';

export interface OperationsTask {
  threads: readonly number[];
}

export interface OperationsReport {
  /** Threads that were started, in the order of the task. */
  threads: number[];
  /** Names of the operations that ran. */
  operations: string[];
  /** Outputs whose bits were compared with those of the first number of threads. */
  compared: number;
  /** What differed, with the number of threads. */
  different: string[];
}

/** The bits of each output, by operation, inputs and name. */
type Outputs = Map<string, Uint32Array>;

addEventListener('message', ({ data }: MessageEvent<OperationsTask>) => {
  void perform(data).then(
    (report) => self.postMessage(report),
    // An error in a timer reaches the page; a rejection would not.
    (error: unknown) => setTimeout(() => reportError(error)),
  );
});

async function perform({ threads }: OperationsTask): Promise<OperationsReport> {
  await startTested('processor');
  const operations = allOps().map(({ name }) => name);
  const report: OperationsReport = { threads: [], operations, compared: 0, different: [] };
  let first: Outputs | null = null;
  for (const count of threads) {
    const started = await processor().engine.threads.use(count);
    report.threads.push(started);
    const outputs = await computeAll();
    if (first) compareWith(first, outputs, report);
    first ??= outputs;
  }
  await processor().engine.threads.use(1);
  processor().engine.threads.end();
  return report;
}

function compareWith(first: Outputs, outputs: Outputs, report: OperationsReport): void {
  for (const [title, bits] of first) {
    const others = outputs.get(title);
    const same = others?.length === bits.length && bits.every((word, i) => word === others[i]);
    if (!same) report.different.push(`${title}, ${report.threads.at(-1)} threads`);
    report.compared++;
  }
}

async function computeAll(): Promise<Outputs> {
  const outputs: Outputs = new Map();
  for (const op of allOps()) await op.visit((definition) => compute(definition, outputs));
  return outputs;
}

/** Runs an operation on its cases, and at the sizes of *Names*, where most kernels have many chunks. */
async function compute<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  outputs: Outputs,
): Promise<void> {
  for (const { name, attrs, inputs } of op.cases) {
    const hosts = inputs(caseRandom(seedOf(`${op.name} ${name}`)));
    const expected = op.oracle(hosts, attrs);
    await keep(op, { title: name, inputs: toTensors(op.inputs, hosts), attrs }, outputs);
    if (!op.accumulates) continue;
    const into: Partial<Tensors<O>> = {};
    for (const output of op.accumulates) into[output] = filled(expected[output], 0.5);
    const title = `${name}, accumulated`;
    await keep(op, { title, inputs: toTensors(op.inputs, hosts), attrs, into }, outputs);
  }
  const entries = op.bench?.(benchSizes('N'), benchInputs) ?? [];
  for (const [i, { inputs, attrs }] of entries.entries()) {
    const tensors = recordOf(op.inputs, (name) => {
      const { shape, dtype, values } = inputs[name];
      return toTensor({ shape, dtype, data: Float64Array.from(values()) });
    });
    await keep(op, { title: `entry ${i} of the bench`, inputs: tensors, attrs }, outputs);
  }
}

interface Call<I extends string, A, O extends string> {
  title: string;
  inputs: Tensors<I>;
  attrs: A;
  into?: Partial<Tensors<O>>;
}

/** Runs an operation and keeps the bits of its outputs. */
async function keep<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  { title, inputs, attrs, into }: Call<I, A, O>,
  outputs: Outputs,
): Promise<void> {
  const results = run(op, inputs, attrs, into);
  const values = await read(op.outputs, results);
  for (const name of op.outputs) {
    const { buffer, byteOffset, length } = values[name];
    const bits = new Uint32Array(buffer, byteOffset, length).slice();
    outputs.set(`${op.name} (${title}), ${name}`, bits);
  }
  releaseAll(op.outputs, results);
  releaseAll(op.inputs, inputs);
}
