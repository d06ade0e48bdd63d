/**
 * Puts one operation through all its checks on the present backend: reference and (on WebGPU)
 * kernel against the float64 oracle; each gradient against finite differences of the oracle and
 * against tfjs's tape over the reference.
 */
import { backendHasKernels, tensorCount } from '../backend/index.ts';
import {
  type AnyOp,
  type OpCase,
  type OpDefinition,
  run,
  type Tensors,
  withReferences,
} from '../ops/index.ts';
import {
  attempt,
  type Check,
  compare,
  filled,
  FORWARD,
  read,
  release,
  type Tally,
  toTensors,
} from './check.ts';
import { checkGradients } from './check_gradients.ts';
import { caseRandom, seedOf } from './random.ts';

/** What a kernel that accumulates finds in its buffer. */
const BEFORE = 0.5;

/**
 * Every case of the operation on the backend that is running. Wrong numbers are listed in
 * `failures`, not thrown.
 */
export async function checkOp(op: AnyOp, backend: string): Promise<Tally> {
  const tally: Tally = { compared: 0, skipped: [], failures: [] };
  await op.visit(async (definition) => {
    for (const c of definition.cases) await checkCase(definition, c, backend, tally);
  });
  return tally;
}

async function checkCase<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  c: OpCase<I, A>,
  backend: string,
  tally: Tally,
): Promise<void> {
  const hosts = c.inputs(caseRandom(seedOf(`${op.name} ${c.name}`)));
  const check = {
    op,
    c,
    hosts,
    tally,
    title: `${op.name} (${c.name}) on ${backend}`,
    expected: op.oracle(hosts, c.attrs),
  };
  const before = tensorCount();
  await checkForward(check);
  await checkGradients(check);
  if (tensorCount() !== before)
    tally.failures.push(`${check.title}: ${tensorCount() - before} tensors were left behind.`);
}

async function checkForward<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
): Promise<void> {
  const { op, c, expected } = check;
  await compareOutputs(
    check,
    'reference',
    (inputs) => withReferences(() => run(op, inputs, c.attrs)),
    [],
  );
  if (!op.kernel || !backendHasKernels()) return;
  await compareOutputs(check, 'kernel', (inputs) => run(op, inputs, c.attrs), []);
  const added = op.accumulates ?? [];
  if (added.length === 0) return;
  const buffers: Partial<Tensors<O>> = {};
  for (const o of added) buffers[o] = filled(expected[o], BEFORE);
  await compareOutputs(
    check,
    'kernel into a buffer',
    (inputs) => run(op, inputs, c.attrs, buffers),
    added,
  );
}

async function compareOutputs<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
  what: string,
  forward: (inputs: Tensors<I>) => Tensors<O>,
  added: readonly O[],
): Promise<void> {
  const { op, hosts, expected } = check;
  const inputs = toTensors(op.inputs, hosts);
  const outputs = attempt(check, () => forward(inputs));
  if (outputs) {
    const values = await read(op.outputs, outputs);
    for (const o of op.outputs) {
      const shape = outputs[o].shape.join(', ');
      const wanted = expected[o].shape.join(', ');
      if (shape !== wanted)
        check.tally.failures.push(
          `${check.title}: ${what}, ${o} has the shape [${shape}], expected [${wanted}].`,
        );
      const before = added.includes(o) ? BEFORE : 0;
      compare(
        check,
        `${what}, ${o}`,
        values[o],
        expected[o].data.map((v) => v + before),
        FORWARD,
      );
    }
    release(...op.outputs.map((o) => outputs[o]));
  }
  release(...op.inputs.map((i) => inputs[i]));
}
