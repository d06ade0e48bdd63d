/**
 * Gradients of one case: ours against finite differences of the oracle, and against tfjs's tape
 * over the reference.
 */
import { tidy, type Tensor } from '@tensorflow/tfjs-core';
import { backendHasKernels, type Values } from '../backend/index.ts';
import {
  type GradientContext,
  type HostTensor,
  type Hosts,
  type OpDefinition,
  recordOf,
  run,
  type Tensors,
} from '../ops/index.ts';
import {
  attempt,
  type Check,
  compare,
  filled,
  GRADIENT,
  read,
  release,
  toTensor,
  toTensors,
} from './check.ts';
import { checkedIndices, finiteDifferences, project } from './finite_differences.ts';
import { caseRandom, seedOf } from './random.ts';
import { tapeGradients } from './tape.ts';

type Gradient<I extends string, A, O extends string, D extends I> = NonNullable<
  OpDefinition<I, A, O, D>['gradient']
>;

/** What a gradient finds in the buffer that it adds to. */
const BEFORE = 0.25;

export async function checkGradients<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
): Promise<void> {
  const { op, c } = check;
  const { gradient } = op;
  if (!gradient) return;
  const to = op.inputs.filter((i): i is D => i in gradient.to);
  const random = caseRandom(seedOf(`${op.name} ${c.name} projection`));
  const projection: Partial<Hosts<O>> = {};
  for (const o of gradient.from) projection[o] = random.normal(check.expected[o].shape);

  const ours = await ownGradients(check, gradient, to, projection, false);
  if (!ours) return;
  for (const d of to) compareNumeric(check, gradient.from, d, projection, ours[d]);
  await compareTape(check, gradient.from, to, projection, ours);
  if (!backendHasKernels() || c !== op.cases[0]) return;
  const added = await ownGradients(check, gradient, to, projection, true);
  if (added)
    for (const d of to)
      compare(check, `gradient of ${d} into a buffer`, added[d], ours[d], GRADIENT);
}

/** Finite differences are the same for every backend: made once. */
const numeric = new Map<string, Float64Array>();

function compareNumeric<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
  from: readonly O[],
  d: D,
  projection: Partial<Hosts<O>>,
  ours: Values,
): void {
  const { op, c, hosts } = check;
  const key = `${op.name} ${c.name} ${d}`;
  const indices = checkedIndices(hosts[d].data.length);
  let expected = numeric.get(key);
  if (!expected)
    numeric.set(
      key,
      (expected = finiteDifferences(hosts[d], indices, () =>
        project(op.oracle(hosts, c.attrs), projection, from),
      )),
    );
  compare(
    check,
    `gradient of ${d}, finite differences`,
    indices.map((i) => ours[i] ?? NaN),
    expected,
    GRADIENT,
  );
}

async function compareTape<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
  from: readonly O[],
  to: readonly D[],
  projection: Partial<Hosts<O>>,
  ours: Record<D, Values>,
): Promise<void> {
  const { op, c, tally } = check;
  const inputs = toTensors(op.inputs, check.hosts);
  const dy = tensorsOf(from, projection);
  const result = attempt(check, () => tidy(() => tapeGradients(op, to, from, inputs, c.attrs, dy)));
  if (result && 'missing' in result)
    tally.skipped.push(`${check.title}: no tape, since tfjs has no gradient for ${result.missing}`);
  else if (result) {
    const tape = await read(to, result.gradients);
    for (const d of to) compare(check, `gradient of ${d}, tfjs's tape`, ours[d], tape[d], GRADIENT);
    release(...to.map((d) => result.gradients[d]));
  }
  release(...op.inputs.map((i) => inputs[i]), ...from.flatMap((o) => dy[o] ?? []));
}

/**
 * The operation's own gradients, by the way it runs on this backend. Inputs and outputs that the
 * record does not say it saves are disposed first, so that a gradient that reads one fails.
 */
async function ownGradients<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
  gradient: Gradient<I, A, O, D>,
  to: readonly D[],
  projection: Partial<Hosts<O>>,
  add: boolean,
): Promise<Record<D, Values> | undefined> {
  const { op, c, hosts } = check;
  const inputs = toTensors(op.inputs, hosts);
  const dy = tensorsOf(gradient.from, projection);
  const into: Partial<Tensors<I>> = {};
  const wanted: Partial<Record<I, true>> = {};
  const buffers: Tensor[] = [];
  for (const d of to) wanted[d] = true;
  if (add) for (const d of to) buffers.push((into[d] = filled(hosts[d], BEFORE)));
  const outputs = attempt(check, () => run(op, inputs, c.attrs));
  let values: Record<D, Values> | undefined;
  if (outputs) {
    release(...op.inputs.filter((i) => !gradient.saves.inputs.includes(i)).map((i) => inputs[i]));
    release(
      ...op.outputs.filter((o) => !gradient.saves.outputs.includes(o)).map((o) => outputs[o]),
    );
    const context: GradientContext<I, A, O> = { inputs, outputs, attrs: c.attrs, dy, into, wanted };
    const results = attempt(check, () => tidy(() => recordOf(to, (d) => gradient.to[d](context))));
    if (results) {
      const got = await read(to, results);
      values = recordOf(to, (d) =>
        add && results[d] === into[d] ? got[d].map((v) => v - BEFORE) : got[d],
      );
      release(...to.map((d) => results[d]));
    }
    release(...op.outputs.map((o) => outputs[o]));
  }
  release(
    ...op.inputs.map((i) => inputs[i]),
    ...gradient.from.flatMap((o) => dy[o] ?? []),
    ...buffers,
  );
  return values;
}

function tensorsOf<O extends string>(
  keys: readonly O[],
  hosts: Partial<Record<O, HostTensor>>,
): Partial<Tensors<O>> {
  const made: Partial<Tensors<O>> = {};
  for (const k of keys) {
    const h = hosts[k];
    if (h) made[k] = toTensor(h);
  }
  return made;
}
