/**
 * A NaN among the inputs of an operation stays visible: wherever it makes the oracle's output a NaN,
 * the kernels of the processor give one, too. Otherwise a run that has diverged would go on with
 * losses that look right.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { read, releaseAll, toTensors } from '../testing/check.ts';
import { startEngine } from '../testing/node_engine.ts';
import { caseRandom, seedOf } from '../testing/random.ts';
import './alignment.ts';
import './parallel.ts';
import './generation.ts';
import { allOps, type Hosts, type OpCase, type OpDefinition, run } from './index.ts';

beforeAll(startEngine);

/** Values of the inputs of a case together; the oracle would take seconds for larger ones. */
const LARGEST = 4000;

/** These select zeros where they drop a value, while the oracle multiplies by zero. */
const SELECTS: readonly string[] = ['dropout', 'dropout_add'];

/** Operations in which a NaN reached an output. */
const reached = new Set<string>();

/** What became numbers although the oracle has a NaN, with a NaN as the first value of each input. */
async function lostIn<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  { name, attrs, inputs }: OpCase<I, A>,
): Promise<string[]> {
  const hosts = inputs(caseRandom(seedOf(`${op.name} ${name}`)));
  const sizes = op.inputs.map((input) => hosts[input].data.length);
  if (sizes.reduce((a, b) => a + b, 0) > LARGEST) return [];
  const lost: string[] = [];
  for (const input of op.inputs.filter((one) => hosts[one].dtype === 'float32')) {
    const host = hosts[input];
    const data = Float64Array.from(host.data, (value, i) => (i === 0 ? NaN : value));
    const withNaN = { ...hosts, [input]: { ...host, data } };
    const title = `${op.name} (${name}) with a NaN in ${input}`;
    lost.push(...(await compared(op, withNaN, attrs)).map((what) => `${title}: ${what}`));
  }
  return lost;
}

async function compared<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  hosts: Hosts<I>,
  attrs: A,
): Promise<string[]> {
  const expected = op.oracle(hosts, attrs);
  const tensors = toTensors(op.inputs, hosts);
  const results = run(op, tensors, attrs);
  const values = await read(op.outputs, results);
  releaseAll(op.outputs, results);
  releaseAll(op.inputs, tensors);
  return op.outputs.flatMap((output) => {
    const wanted = indicesOfNaN(expected[output].data);
    if (wanted.length > 0) reached.add(op.name);
    const missing = wanted.filter((i) => !Number.isNaN(values[output][i]));
    return missing.length > 0 ? [`${missing.length} of ${wanted.length} lost in ${output}`] : [];
  });
}

function indicesOfNaN(values: Float64Array): number[] {
  return [...values.keys()].filter((i) => Number.isNaN(values[i]));
}

describe('a NaN', () => {
  const ops = allOps().filter(({ name }) => !SELECTS.includes(name));

  it.each(ops.map((op) => [op.name, op] as const))('stays one in %s', async (_name, op) => {
    const lost = await op.visit(async (definition) => {
      const lists: string[][] = [];
      for (const one of definition.cases) lists.push(await lostIn(definition, one));
      return lists.flat();
    });
    expect(lost).toEqual([]);
  });

  it('reaches the outputs of most operations', () => {
    expect(reached.size).toBeGreaterThan(50);
    for (const name of ['attention', 'cross_entropy', 'layer_norm', 'rms_norm', 'pair_loss'])
      expect(reached).toContain(name);
  });
});
