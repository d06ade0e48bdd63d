/**
 * An operation with its activations stored as halves, on WebGPU: kernel and gradients against the
 * float64 oracle at inputs that are rounded to halves beforehand, so that what is left are the
 * roundings of what the kernels store.
 */
import { tidy, type Tensor } from '@tensorflow/tfjs-core';
import { convert, storageOf, withActivations } from '../backend/index.ts';
import {
  type AnyOp,
  type GradientContext,
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
  compare,
  filled,
  FORWARD,
  GRADIENT,
  read,
  release,
  type Tally,
  toTensor,
} from './check.ts';
import { checkedIndices, finiteDifferences, project } from './finite_differences.ts';
import { caseRandom, seedOf } from './random.ts';

/** Half of the distance between neighbours in [1, 2): the relative error of one rounding. */
const EPSILON = 2 ** -11;
const BEFORE = 0.5;

/** The nearest half, ties to even (within the range that cases have: none overflows). */
export function roundToHalf(x: number): number {
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(x) || 1))) - 10);
  const n = x / step;
  const below = Math.floor(n);
  const rest = n - below;
  return step * (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below);
}

/**
 * Cases in which nothing can be stored as halves are left out: `compared` stays 0 where there is no
 * other.
 */
export async function checkHalves(op: AnyOp): Promise<Tally> {
  const tally: Tally = { compared: 0, skipped: [], failures: [] };
  await op.visit(async (definition) => {
    for (const c of definition.cases) await checkCase(definition, c, tally);
  });
  return tally;
}

interface Check<I extends string, A, O extends string, D extends I> {
  op: OpDefinition<I, A, O, D>;
  c: OpCase<I, A>;
  title: string;
  tally: Tally;
  hosts: Hosts<I>;
  packed: readonly I[];
  expected: Hosts<O>;
}

const fits = (h: HostTensor): boolean =>
  h.dtype === 'float32' && (h.shape[h.shape.length - 1] ?? 0) % 4 === 0;
const rounded = (h: HostTensor): HostTensor => ({ ...h, data: h.data.map(roundToHalf) });
function packedTensor(h: HostTensor, half: boolean): Tensor {
  const t = toTensor(h);
  if (!half) return t;
  const p = convert(t, 'float16');
  t.dispose();
  return p;
}
const inHalves = <T>(fn: () => T): T => withActivations('float16', fn);

/**
 * A result carries the rounding of what it is stored as and, of what it was summed from, that of
 * the largest, once or twice.
 */
function compareRounded(
  check: { tally: Tally; title: string; c: { atol?: number; rtol?: number } },
  what: string,
  actual: ArrayLike<number>,
  expected: Float64Array,
  roundings: 1 | 2,
): void {
  const usual = roundings === 1 ? FORWARD : GRADIENT;
  const largest = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  compare(check, `in halves, ${what}`, actual, expected, {
    atol: usual.atol + roundings * EPSILON * largest,
    rtol: usual.rtol + EPSILON,
  });
}

async function checkCase<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  c: OpCase<I, A>,
  tally: Tally,
): Promise<void> {
  const random = caseRandom(seedOf(`${op.name} ${c.name}`));
  // Rounded from the start, so that inputs which are worked out from others (lse) fit them.
  const made = c.inputs({ ...random, normal: (...of) => rounded(random.normal(...of)) });
  const packed = (op.float16?.inputs ?? []).filter((i) => fits(made[i]));
  if (packed.length === 0 && op.float16?.inputs.length !== 0) return;
  const hosts = recordOf(op.inputs, (i) => (packed.includes(i) ? rounded(made[i]) : made[i]));
  const check = {
    op,
    c,
    title: `${op.name} (${c.name})`,
    tally,
    hosts,
    packed,
    expected: op.oracle(hosts, c.attrs),
  };
  const stored = await checkForward(check);
  if (stored) await checkGradients(check, stored);
}

const inputsOf = <I extends string, A, O extends string, D extends I>({
  op,
  hosts,
  packed,
}: Check<I, A, O, D>): Tensors<I> =>
  recordOf(op.inputs, (i) => packedTensor(hosts[i], packed.includes(i)));

/** Which outputs came as halves. */
async function checkForward<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
): Promise<Record<O, boolean> | undefined> {
  const { op, c, expected } = check;
  const forward = async (
    what: string,
    into: Partial<Tensors<O>>,
  ): Promise<Record<O, boolean> | undefined> => {
    const inputs = inputsOf(check);
    const outputs = attempt(check, () => inHalves(() => run(op, inputs, c.attrs, into)));
    if (outputs) {
      const values = await read(op.outputs, outputs);
      for (const o of op.outputs)
        compareRounded(
          check,
          `${what}${o}`,
          values[o],
          expected[o].data.map((v) => v + (into[o] ? BEFORE : 0)),
          1,
        );
    }
    const stored = outputs && recordOf(op.outputs, (o) => storageOf(outputs[o]) === 'float16');
    release(
      ...op.inputs.map((i) => inputs[i]),
      ...(outputs ? op.outputs.map((o) => outputs[o]) : []),
    );
    return stored;
  };
  const stored = await forward('', {});
  const added: Partial<Tensors<O>> = {};
  if (!stored || !op.accumulates) return stored;
  for (const o of op.accumulates) {
    const t = filled(expected[o], BEFORE);
    added[o] = stored[o] ? convert(t, 'float16') : t;
    if (stored[o]) t.dispose();
  }
  await forward('into a buffer, ', added);
  return stored;
}

async function checkGradients<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
  stored: Record<O, boolean>,
): Promise<void> {
  const { op, c, hosts, expected } = check;
  const { gradient } = op;
  if (!gradient) return;
  const to = op.inputs.filter((i): i is D => i in gradient.to);
  const random = caseRandom(seedOf(`${op.name} ${c.name} projection`));
  const projection: Partial<Hosts<O>> = {};
  const dy: Partial<Tensors<O>> = {};
  const wanted: Partial<Record<I, true>> = {};
  for (const o of gradient.from) {
    const p = random.normal(expected[o].shape);
    const h = (projection[o] = stored[o] ? rounded(p) : p);
    dy[o] = packedTensor(h, stored[o]);
  }
  for (const d of to) wanted[d] = true;
  const inputs = inputsOf(check);
  const outputs = inHalves(() => run(op, inputs, c.attrs));
  const context: GradientContext<I, A, O> = {
    inputs,
    outputs,
    attrs: c.attrs,
    dy,
    into: {},
    wanted,
  };
  const results = attempt(check, () =>
    tidy(() => inHalves(() => recordOf(to, (d) => gradient.to[d](context)))),
  );
  if (results) {
    const values = await read(to, results);
    for (const d of to) {
      const indices = checkedIndices(hosts[d].data.length);
      const numeric = finiteDifferences(hosts[d], indices, () =>
        project(op.oracle(hosts, c.attrs), projection, gradient.from),
      );
      compareRounded(
        check,
        `gradient of ${d}`,
        indices.map((i) => values[d][i] ?? NaN),
        numeric,
        2,
      );
    }
    release(...to.map((d) => results[d]));
  }
  release(
    ...op.inputs.map((i) => inputs[i]),
    ...op.outputs.map((o) => outputs[o]),
    ...gradient.from.flatMap((o) => dy[o] ?? []),
  );
}
