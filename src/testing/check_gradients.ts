/**
 * Checks the gradients of one case against finite differences of the oracle, and against tfjs's tape
 * over the reference.
 */
import { tidy, type Tensor } from '@tensorflow/tfjs-core';
import { hasOwnKernels, onProcessor, type Values } from '../backend/index.ts';
import { type Hosts, type OpDefinition, recordOf, run, type Tensors } from '../ops/index.ts';
import {
  attempt,
  type Check,
  compare,
  filled,
  GRADIENT,
  read,
  release,
  releaseAll,
  toSomeTensors,
  toTensors,
} from './check.ts';
import { checkedIndices, finiteDifferences, project } from './finite_differences.ts';
import { caseRandom, seedOf } from './random.ts';
import { tapeGradients, WITHOUT_TAPE } from './tape.ts';

type Gradient<I extends string, A, O extends string, D extends I> = NonNullable<
  OpDefinition<I, A, O, D>['gradient']
>;

/** A check of an operation that has a gradient. */
interface GradientCheck<I extends string, A, O extends string, D extends I> extends Check<
  I,
  A,
  O,
  D
> {
  gradient: Gradient<I, A, O, D>;
  /** The inputs that have gradients. */
  to: readonly D[];
  /** Gradients of the outputs that are differentiated. */
  projection: Partial<Hosts<O>>;
}

/** Initial value of the buffers that gradients are added to. */
const INITIAL = 0.25;

/** Does nothing if the operation has no gradient. */
export async function checkGradients<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
): Promise<void> {
  const { op, c } = check;
  const { gradient } = op;
  if (!gradient) return;
  const to = op.inputs.filter((name): name is D => name in gradient.to);
  const random = caseRandom(seedOf(`${op.name} ${c.name} projection`));
  const projection: Partial<Hosts<O>> = {};
  for (const name of gradient.from) projection[name] = random.normal(check.expected[name].shape);

  const gradientCheck = { ...check, gradient, to, projection };
  const ours = await ownGradients(gradientCheck, false);
  if (!ours) return;
  for (const name of to) compareNumeric(gradientCheck, name, ours[name]);
  if (!onProcessor()) await compareTape(gradientCheck, ours);
  if (!hasOwnKernels() || c !== op.cases[0]) return;
  const added = await ownGradients(gradientCheck, true);
  if (!added) return;
  for (const name of to)
    compare(check, `gradient of ${name} into a buffer`, {
      actual: added[name],
      expected: ours[name],
      usual: GRADIENT,
    });
}

/** Finite differences do not depend on the backend, so they are computed once. */
const numericGradients = new Map<string, Float64Array>();

function compareNumeric<I extends string, A, O extends string, D extends I>(
  check: GradientCheck<I, A, O, D>,
  name: D,
  ours: Values,
): void {
  const { op, c, hosts, gradient, projection } = check;
  const key = `${op.name} ${c.name} ${name}`;
  const indices = checkedIndices(hosts[name].data.length);
  let expected = numericGradients.get(key);
  if (!expected) {
    expected = finiteDifferences(hosts[name], indices, () =>
      project(op.oracle(hosts, c.attrs), projection, gradient.from),
    );
    numericGradients.set(key, expected);
  }
  compare(check, `gradient of ${name}, finite differences`, {
    actual: indices.map((i) => ours[i] ?? NaN),
    expected,
    usual: GRADIENT,
  });
}

/** Fails if tfjs has no gradient for the reference, unless WITHOUT_TAPE says so. */
async function compareTape<I extends string, A, O extends string, D extends I>(
  check: GradientCheck<I, A, O, D>,
  ours: Record<D, Values>,
): Promise<void> {
  const { op, c, tally, title, to, gradient } = check;
  const inputs = toTensors(op.inputs, check.hosts);
  const dy = toSomeTensors(gradient.from, check.projection);
  const result = attempt(check, () =>
    tidy(() => tapeGradients(op, { to, from: gradient.from, inputs, attrs: c.attrs, dy })),
  );
  const excepted = WITHOUT_TAPE[op.name];
  if (result && 'missing' in result) {
    const message = `${title}: no tape, because tfjs has no gradient for ${result.missing}`;
    if (excepted === result.missing) tally.skipped.push(message);
    else tally.failures.push(`${message}, which WITHOUT_TAPE (testing/tape.ts) does not list.`);
  }
  if (result && 'gradients' in result) {
    if (excepted !== undefined)
      tally.failures.push(`${title}: WITHOUT_TAPE (testing/tape.ts) lists it, but it has a tape.`);
    const tape = await read(to, result.gradients);
    for (const name of to)
      compare(check, `gradient of ${name}, tfjs's tape`, {
        actual: ours[name],
        expected: tape[name],
        usual: GRADIENT,
      });
    releaseAll(to, result.gradients);
  }
  releaseAll(op.inputs, inputs);
  releaseAll(gradient.from, dy);
}

/**
 * The operation's own gradients, as they run on this backend; with `add`, those added to buffers.
 * Inputs and outputs that the record does not save are disposed first, so that a gradient that
 * reads one fails.
 */
async function ownGradients<I extends string, A, O extends string, D extends I>(
  check: GradientCheck<I, A, O, D>,
  add: boolean,
): Promise<Record<D, Values> | undefined> {
  const { op, c, hosts, gradient, to } = check;
  const inputs = toTensors(op.inputs, hosts);
  const dy = toSomeTensors(gradient.from, check.projection);
  const into: Partial<Tensors<I>> = {};
  const wanted: Partial<Record<I, true>> = {};
  const buffers: Tensor[] = [];
  for (const name of to) {
    wanted[name] = true;
    if (!add) continue;
    const buffer = filled(hosts[name], INITIAL);
    into[name] = buffer;
    buffers.push(buffer);
  }
  const outputs = attempt(check, () => run(op, inputs, c.attrs));
  let values: Record<D, Values> | undefined;
  if (outputs) {
    const { saves } = gradient;
    const unsavedInputs = op.inputs.filter((name) => !saves.inputs.includes(name));
    const unsavedOutputs = op.outputs.filter((name) => !saves.outputs.includes(name));
    releaseAll(unsavedInputs, inputs);
    releaseAll(unsavedOutputs, outputs);
    const context = { inputs, outputs, attrs: c.attrs, dy, into, wanted };
    const results = attempt(check, () =>
      tidy(() => recordOf(to, (name) => gradient.to[name](context))),
    );
    if (results) {
      const got = await read(to, results);
      const initial = (name: D): number => (add && results[name] === into[name] ? INITIAL : 0);
      values = recordOf(to, (name) => got[name].map((value) => value - initial(name)));
      releaseAll(to, results);
    }
    releaseAll(op.outputs, outputs);
  }
  releaseAll(op.inputs, inputs);
  releaseAll(gradient.from, dy);
  release(...buffers);
  return values;
}
