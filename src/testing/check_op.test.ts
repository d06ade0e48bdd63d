import { mul, scatterND, square, tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { startBackend } from '../backend/index.ts';
import type { AnyOp, GradientContext, Hosts, OpDefinition, Tensors } from '../ops/index.ts';
import { checkOp } from './check_op.ts';

type Unary = OpDefinition<'x', null, 'y', 'x'>;

function mapped(hosts: Hosts<'x'>, fn: (value: number) => number): Hosts<'y'> {
  return { y: { ...hosts.x, data: hosts.x.data.map(fn) } };
}

/** y = x^2, with changes. It is not registered. */
function squareOp(changes: Partial<Unary>): AnyOp {
  const definition: Unary = {
    name: 'square_for_the_test',
    inputs: ['x'],
    outputs: ['y'],
    oracle: (hosts) => mapped(hosts, (value) => value * value),
    reference: ({ x }) => ({ y: square(x) }),
    kernel: null,
    gradient: gradientOf(({ inputs, dy }) => mul(mul(inputs.x, 2), dy.y ?? NaN)),
    cases: [{ name: 'small', inputs: (random) => ({ x: random.normal([2, 4]) }), attrs: null }],
    ...changes,
  };
  return { name: definition.name, visit: (visitor) => visitor(definition) };
}

type UnaryGradient = (context: GradientContext<'x', null, 'y'>) => Tensors<'x'>['x'];

function gradientOf(x: UnaryGradient): Unary['gradient'] {
  return { saves: { inputs: ['x'], outputs: [] }, from: ['y'], to: { x } };
}

describe('checkOp', () => {
  beforeAll(async () => {
    await startBackend('cpu');
  });

  it('passes a correct operation: forward, finite differences and tape', async () => {
    expect(await checkOp(squareOp({}), 'cpu')).toEqual({ compared: 3, skipped: [], failures: [] });
  });

  it('lists a wrong forward', async () => {
    const wrong = squareOp({ oracle: (hosts) => mapped(hosts, (value) => value ** 3) });
    const { failures } = await checkOp(wrong, 'cpu');
    expect(failures[0]).toMatch(/square_for_the_test \(small\) on cpu: reference, y: not close/);
  });

  it('lists a wrong gradient once for finite differences and once for the tape', async () => {
    const wrong = squareOp({
      gradient: gradientOf(({ inputs, dy }) => mul(inputs.x, dy.y ?? NaN)),
    });
    const { failures } = await checkOp(wrong, 'cpu');
    expect(failures).toEqual([
      expect.stringContaining('gradient of x, finite differences: not close'),
      expect.stringContaining("gradient of x, tfjs's tape: not close"),
    ]);
  });

  it('lists a gradient that reads what the record does not save', async () => {
    const gradient = gradientOf(({ inputs, dy }) => mul(mul(inputs.x, 2), dy.y ?? NaN));
    const wrong = squareOp({
      gradient: gradient && { ...gradient, saves: { inputs: [], outputs: [] } },
    });
    const { failures } = await checkOp(wrong, 'cpu');
    expect(failures).toHaveLength(1);
  });

  it('lists a reference without a tape that WITHOUT_TAPE does not list', async () => {
    // tfjs has no gradient of ScatterNd.
    const withoutTape = squareOp({
      reference: ({ x }) => ({
        y: scatterND(tensor([[0], [1]], [2, 1], 'int32'), square(x), [2, 4]),
      }),
    });
    const { failures, skipped } = await checkOp(withoutTape, 'cpu');
    expect(failures[0]).toContain('tfjs has no gradient for ScatterNd, which WITHOUT_TAPE');
    expect(skipped).toEqual([]);
  });
});
