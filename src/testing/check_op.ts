/**
 * Checks one operation on the current backend: the reference and the kernel (on WebGPU and on the
 * engine on the processor, which has no reference) against the float64 oracle, and each gradient
 * against finite differences of the oracle and against tfjs's tape over the reference.
 */
import { hasOwnKernels, onProcessor, tensorCount } from '../backend/index.ts';
import {
  type AnyOp,
  kernelOf,
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
  releaseAll,
  type Tally,
  toTensors,
} from './check.ts';
import { checkGradients } from './check_gradients.ts';
import { caseRandom, seedOf } from './random.ts';

/** Initial value of the buffers that a kernel accumulates into. */
const INITIAL = 0.5;

/** Checks every case. Wrong values are listed in `failures`, not thrown. */
export async function checkOp(op: AnyOp, backend: string): Promise<Tally> {
  const tally: Tally = { compared: 0, skipped: [], failures: [] };
  await op.visit(async (definition) => {
    for (const one of definition.cases) {
      const title = `${op.name} (${one.name}) on ${backend}`;
      await checkCase(definition, one, { tally, title });
    }
  });
  return tally;
}

async function checkCase<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  c: OpCase<I, A>,
  { tally, title }: { tally: Tally; title: string },
): Promise<void> {
  const hosts = c.inputs(caseRandom(seedOf(`${op.name} ${c.name}`)));
  const check = { op, c, hosts, tally, title, expected: op.oracle(hosts, c.attrs) };
  const before = tensorCount();
  await checkForward(check);
  await checkGradients(check);
  const leaked = tensorCount() - before;
  if (leaked !== 0) tally.failures.push(`${title}: ${leaked} tensors were leaked.`);
}

async function checkForward<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
): Promise<void> {
  const { op, c, expected } = check;
  if (!onProcessor())
    await compareOutputs(check, {
      what: 'reference',
      forward: (inputs) => withReferences(() => run(op, inputs, c.attrs)),
    });
  if (!hasOwnKernels() || !kernelOf(op)) return;
  await compareOutputs(check, {
    what: 'kernel',
    forward: (inputs) => run(op, inputs, c.attrs),
  });
  const { accumulates = [] } = op;
  if (accumulates.length === 0) return;
  const buffers: Partial<Tensors<O>> = {};
  for (const name of accumulates) buffers[name] = filled(expected[name], INITIAL);
  await compareOutputs(check, {
    what: 'kernel into a buffer',
    forward: (inputs) => run(op, inputs, c.attrs, buffers),
    accumulated: accumulates,
  });
}

interface ForwardCheck<I extends string, O extends string> {
  what: string;
  forward: (inputs: Tensors<I>) => Tensors<O>;
  /** Outputs that are added to buffers of INITIAL. */
  accumulated?: readonly O[];
}

async function compareOutputs<I extends string, A, O extends string, D extends I>(
  check: Check<I, A, O, D>,
  { what, forward, accumulated = [] }: ForwardCheck<I, O>,
): Promise<void> {
  const { op, hosts, expected, tally, title } = check;
  const inputs = toTensors(op.inputs, hosts);
  const outputs = attempt(check, () => forward(inputs));
  if (outputs) {
    const values = await read(op.outputs, outputs);
    for (const name of op.outputs) {
      const shape = outputs[name].shape.join(', ');
      const wanted = expected[name].shape.join(', ');
      if (shape !== wanted)
        tally.failures.push(
          `${title}: ${what}, ${name} has the shape [${shape}], expected [${wanted}].`,
        );
      const initial = accumulated.includes(name) ? INITIAL : 0;
      compare(check, `${what}, ${name}`, {
        actual: values[name],
        expected: expected[name].data.map((value) => value + initial),
        usual: FORWARD,
      });
    }
    releaseAll(op.outputs, outputs);
  }
  releaseAll(op.inputs, inputs);
}
