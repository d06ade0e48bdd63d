/**
 * Checks an operation with tensors stored as float16, on WebGPU: kernel and gradients against the
 * float64 oracle. Inputs are rounded to float16 first, so that the only errors are the roundings of
 * what the kernels store: activations, or nothing if only weights are stored as float16.
 */
import { tidy, type Tensor } from '@tensorflow/tfjs-core';
import { convert, storageOf, withActivations } from '../backend/index.ts';
import {
  type AnyOp,
  type HostTensor,
  type Hosts,
  type OpCase,
  type OpDefinition,
  recordOf,
  run,
  type Tensors,
} from '../ops/index.ts';
import {
  attempt,
  type CaseReport,
  type Check,
  compare,
  filled,
  FORWARD,
  GRADIENT,
  read,
  releaseAll,
  type Tally,
  toTensor,
} from './check.ts';
import { checkedIndices, finiteDifferences, project } from './finite_differences.ts';
import { caseRandom, seedOf } from './random.ts';

/** The relative error of one rounding: half the distance between neighbours in [1, 2). */
const EPSILON = 2 ** -11;
/** Initial value of the buffers that a kernel accumulates into. */
const INITIAL = 0.5;

/** The nearest float16 value, ties to even. For finite values that do not overflow. */
export function roundToFloat16(x: number): number {
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(x) || 1))) - 10);
  const n = x / step;
  const below = Math.floor(n);
  const rest = n - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return step * (up ? below + 1 : below);
}

/** What is stored as float16: activations and weights, or only weights. */
export type Stored = 'all' | 'weights';

/** Cases in which nothing can be stored as float16 are not compared. */
export async function checkFloat16(op: AnyOp, what: Stored = 'all'): Promise<Tally> {
  const tally: Tally = { compared: 0, skipped: [], failures: [] };
  await op.visit(async (definition) => {
    for (const one of definition.cases) await checkCase(definition, one, { tally, what });
  });
  return tally;
}

/** Whether an input may be a frozen weight, by its name. */
const isWeight = (name: string): boolean => /(^|_)weight$|^b$/.test(name);

interface Float16Check<I extends string, A, O extends string, D extends I> extends Check<
  I,
  A,
  O,
  D
> {
  /** Inputs that are stored as float16. */
  packed: readonly I[];
  what: Stored;
}

function fits(host: HostTensor): boolean {
  return host.dtype === 'float32' && (host.shape[host.shape.length - 1] ?? 0) % 4 === 0;
}

function rounded(host: HostTensor): HostTensor {
  return { ...host, data: host.data.map(roundToFloat16) };
}

function storedTensor(host: HostTensor, float16: boolean): Tensor {
  const tensor = toTensor(host);
  return float16 ? packed(tensor) : tensor;
}

/** Converts to float16, and disposes the original. */
function packed(tensor: Tensor): Tensor {
  const converted = convert(tensor, 'float16');
  tensor.dispose();
  return converted;
}

function withStorage<T>(what: Stored, fn: () => T): T {
  return withActivations(what === 'all' ? 'float16' : 'float32', fn);
}

/**
 * Compares with a tolerance for `roundings` roundings of the largest of the summed terms, and one of
 * the result itself; for none if only weights are stored as float16.
 */
function compareRounded(
  report: CaseReport & { what: Stored },
  what: string,
  values: { actual: ArrayLike<number>; expected: Float64Array },
  roundings: 1 | 2,
): void {
  const usual = roundings === 1 ? FORWARD : GRADIENT;
  if (report.what === 'weights') {
    compare(report, `float16 weights, ${what}`, { ...values, usual });
    return;
  }
  const largest = values.expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  compare(report, `float16, ${what}`, {
    ...values,
    usual: {
      atol: usual.atol + roundings * EPSILON * largest,
      rtol: usual.rtol + EPSILON,
    },
  });
}

async function checkCase<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  c: OpCase<I, A>,
  { tally, what }: { tally: Tally; what: Stored },
): Promise<void> {
  const random = caseRandom(seedOf(`${op.name} ${c.name}`));
  // Rounded before other inputs (lse) are computed from them, so that all agree.
  const made = c.inputs({ ...random, normal: (...args) => rounded(random.normal(...args)) });
  const float16Inputs = (op.float16?.inputs ?? []).filter(
    (name) => fits(made[name]) && (what === 'all' || isWeight(name)),
  );
  const isNothing = float16Inputs.length === 0 && op.float16?.inputs.length !== 0;
  if (isNothing && (what === 'weights' || !op.float16?.inputs.every(isWeight))) return;
  const hosts = recordOf(op.inputs, (name) =>
    float16Inputs.includes(name) ? rounded(made[name]) : made[name],
  );
  const check: Float16Check<I, A, O, D> = {
    op,
    c,
    title: `${op.name} (${c.name})`,
    tally,
    hosts,
    packed: float16Inputs,
    what,
    expected: op.oracle(hosts, c.attrs),
  };
  const stored = await checkForward(check);
  if (stored) await checkGradients(check, stored);
}

function inputsOf<I extends string, A, O extends string, D extends I>({
  op,
  hosts,
  packed: names,
}: Float16Check<I, A, O, D>): Tensors<I> {
  return recordOf(op.inputs, (name) => storedTensor(hosts[name], names.includes(name)));
}

/** Returns which outputs are stored as float16. */
async function checkForward<I extends string, A, O extends string, D extends I>(
  check: Float16Check<I, A, O, D>,
): Promise<Record<O, boolean> | undefined> {
  const { op, expected } = check;
  const stored = await compareForward(check, '', {});
  if (!stored || !op.accumulates) return stored;
  const buffers: Partial<Tensors<O>> = {};
  for (const name of op.accumulates) {
    const buffer = filled(expected[name], INITIAL);
    buffers[name] = stored[name] ? packed(buffer) : buffer;
  }
  await compareForward(check, 'into a buffer, ', buffers);
  return stored;
}

async function compareForward<I extends string, A, O extends string, D extends I>(
  check: Float16Check<I, A, O, D>,
  what: string,
  into: Partial<Tensors<O>>,
): Promise<Record<O, boolean> | undefined> {
  const { op, c, expected } = check;
  const inputs = inputsOf(check);
  const outputs = attempt(check, () =>
    withStorage(check.what, () => run(op, inputs, c.attrs, into)),
  );
  if (!outputs) {
    releaseAll(op.inputs, inputs);
    return undefined;
  }
  const values = await read(op.outputs, outputs);
  for (const name of op.outputs) {
    const initial = into[name] ? INITIAL : 0;
    const sum = expected[name].data.map((value) => value + initial);
    compareRounded(check, `${what}${name}`, { actual: values[name], expected: sum }, 1);
  }
  const stored = recordOf(op.outputs, (name) => storageOf(outputs[name]) === 'float16');
  releaseAll(op.inputs, inputs);
  releaseAll(op.outputs, outputs);
  return stored;
}

async function checkGradients<I extends string, A, O extends string, D extends I>(
  check: Float16Check<I, A, O, D>,
  stored: Record<O, boolean>,
): Promise<void> {
  const { op, c, expected } = check;
  const { gradient } = op;
  if (!gradient) return;
  const to = op.inputs.filter((name): name is D => name in gradient.to);
  const random = caseRandom(seedOf(`${op.name} ${c.name} projection`));
  const projection: Partial<Hosts<O>> = {};
  const dy: Partial<Tensors<O>> = {};
  for (const name of gradient.from) {
    const factors = random.normal(expected[name].shape);
    const host = stored[name] ? rounded(factors) : factors;
    projection[name] = host;
    dy[name] = storedTensor(host, stored[name]);
  }
  const wanted: Partial<Record<I, true>> = {};
  for (const name of to) wanted[name] = true;
  const inputs = inputsOf(check);
  const outputs = withStorage(check.what, () => run(op, inputs, c.attrs));
  const context = { inputs, outputs, attrs: c.attrs, dy, into: {}, wanted };
  const results = attempt(check, () =>
    tidy(() => withStorage(check.what, () => recordOf(to, (name) => gradient.to[name](context)))),
  );
  if (results) {
    const values = await read(to, results);
    for (const name of to) {
      const indices = checkedIndices(check.hosts[name].data.length);
      const numeric = finiteDifferences(check.hosts[name], indices, () =>
        project(op.oracle(check.hosts, c.attrs), projection, gradient.from),
      );
      const actual = indices.map((i) => values[name][i] ?? NaN);
      compareRounded(check, `gradient of ${name}`, { actual, expected: numeric }, 2);
    }
    releaseAll(to, results);
  }
  releaseAll(op.inputs, inputs);
  releaseAll(op.outputs, outputs);
  releaseAll(gradient.from, dy);
}
