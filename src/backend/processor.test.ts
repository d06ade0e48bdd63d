/** Programs, stores and rings on the engine on the processor, with kernels that it always has. */
import { tensor1d, type Tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import {
  addInPlace,
  boundary,
  compileProgram,
  copyInPlace,
  deviceMemory,
  fillInPlace,
  keepingState,
  output,
  type Program,
  programPool,
  readback,
  Ring,
  setProgramMode,
  startBackend,
  Store,
  submit,
  submitWithBoundaries,
  tensorCount,
  viewOf,
  writeTensor,
} from './index.ts';
import { processor } from './state.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const valuesOf = async (tensor: Tensor): Promise<number[]> => {
  const [values] = await readback([tensor]);
  return [...(values ?? [])];
};

/** x + x + 1, through transients. */
function twicePlusOne(x: Tensor): Tensor {
  const sum = output(x.shape);
  copyInPlace(sum, x);
  addInPlace(sum, x);
  const one = output(x.shape);
  fillInPlace(one, 1);
  addInPlace(sum, one);
  return sum;
}

function newStore(): Store {
  return new Store('weights', [
    { name: 'a', shape: [5] },
    { name: 'b', shape: [3] },
  ]);
}

describe.each(['replay', 'op_by_op'] as const)('programs in the mode %s', (mode) => {
  const compile = async (fn: () => Record<string, Tensor>): Promise<Program> => {
    setProgramMode(mode);
    try {
      return await compileProgram('test', fn);
    } finally {
      setProgramMode('replay');
    }
  };

  test('read what a store holds when they run', async () => {
    const store = newStore();
    const program = await compile(() => ({ y: twicePlusOne(store.get('a')) }));
    for (const start of [0, 10]) {
      store.write(
        'a',
        Float32Array.from([1, 2, 3, 4, 5], (value) => value + start),
      );
      program.run();
      const { y } = program.outputs;
      expect(y && (await valuesOf(y))).toEqual([1, 2, 3, 4, 5].map((x) => 2 * (x + start) + 1));
    }
    program.dispose();
    store.dispose();
  });

  test('write stores in place', async () => {
    const store = newStore();
    const program = await compile(() => {
      addInPlace(store.get('b'), twicePlusOne(store.get('b')));
      return {};
    });
    submit([program, program]);
    expect(await valuesOf(store.get('b'))).toEqual([4, 4, 4]);
    expect(await valuesOf(store.get('a'))).toEqual([0, 0, 0, 0, 0]);
    program.dispose();
    store.dispose();
  });

  test('leak neither tensors nor memory', async () => {
    const before = { tensors: tensorCount(), use: processor().engine.heap.use.allocated };
    const store = newStore();
    const program = await compile(() => ({ y: twicePlusOne(store.get('a')) }));
    program.run();
    const after = { tensors: tensorCount(), use: processor().engine.heap.use.allocated };
    for (let i = 0; i < 50; i++) program.run();
    expect({ tensors: tensorCount(), use: processor().engine.heap.use.allocated }).toEqual(after);
    program.dispose();
    store.dispose();
    expect({ tensors: tensorCount(), use: processor().engine.heap.use.allocated }).toEqual(before);
  });

  test('run a collective in place', async () => {
    const store = newStore();
    const program = await compile(() => {
      const sum = twicePlusOne(store.get('a'));
      const doubled = boundary(sum, {
        name: 'double',
        run: async (tensor) => writeTensor(tensor, await doubledValues(tensor)),
        runSync: (values) => values.map((value) => 2 * value),
      });
      return { y: twicePlusOne(doubled) };
    });
    await submitWithBoundaries([program]);
    const { y } = program.outputs;
    expect(y && (await valuesOf(y))).toEqual([5, 5, 5, 5, 5]);
    program.dispose();
    store.dispose();
  });
});

const doubledValues = async (tensor: Tensor): Promise<Float32Array> =>
  Float32Array.from(await valuesOf(tensor), (value) => 2 * value);

test('a program is one list of commands, without those that nothing reads', async () => {
  const store = newStore();
  const program = await compileProgram('test', () => {
    twicePlusOne(store.get('b'));
    return { y: twicePlusOne(store.get('a')) };
  });
  expect(program.kernels).toEqual([
    'copy_in_place',
    'add_in_place',
    'fill_in_place',
    'add_in_place',
  ]);
  program.dispose();
  store.dispose();
});

test('a kernel may not read and write one tensor', async () => {
  const store = newStore();
  const a = store.get('a');
  await expect(
    compileProgram('test', () => {
      copyInPlace(a, a);
      return {};
    }),
  ).rejects.toThrow('copy_in_place reads and writes one buffer');
  store.dispose();
});

describe('programs of one pool', () => {
  const waiting = (
    store: Store,
    pool: ReturnType<typeof programPool>,
    run: () => Promise<void> | void,
  ): Promise<Program> => {
    const name = store.names[0] ?? '';
    const traced = (): { y: Tensor } => {
      const y = output(store.get(name).shape);
      copyInPlace(y, boundary(twicePlusOne(store.get(name)), { name: 'wait', run }));
      return { y };
    };
    return compileProgram('waiting', traced, pool);
  };

  test('share what is alive while they wait, and give it back', async () => {
    const large = new Store('large', [{ name: 'x', shape: [1024] }]);
    const small = new Store('small', [{ name: 'x', shape: [512] }]);
    const before = deviceMemory()?.allocated;
    const pool = programPool();
    const wait = (): Promise<void> => Promise.resolve();
    const programs = [await waiting(large, pool, wait), await waiting(small, pool, wait)];
    expect(pool?.bytes).toBe(4 * 1024);
    for (const program of programs) {
      await submitWithBoundaries([program]);
      const y = program.outputs.y;
      expect(y && (await valuesOf(y)).every((value) => value === 1)).toBe(true);
      program.dispose();
    }
    expect(pool?.bytes).toBe(0);
    expect(deviceMemory()?.allocated).toBe(before);
    for (const store of [large, small]) store.dispose();
  });

  test('do not run while another one of them waits', async () => {
    const store = newStore();
    const pool = programPool();
    let proceed = (): void => undefined;
    const held = await waiting(
      store,
      pool,
      () =>
        new Promise<void>((resolve) => {
          proceed = resolve;
        }),
    );
    const other = await waiting(store, pool, () => undefined);
    const running = submitWithBoundaries([held]);
    await expect(submitWithBoundaries([other])).rejects.toThrow('shares its memory');
    proceed();
    await running;
    await submitWithBoundaries([other]);
    for (const one of [held, other, store]) one.dispose();
  });
});

test('views share the values of their tensor', async () => {
  const x = tensor1d([...Array(128).keys()]);
  const view = viewOf(x, [2], 64);
  fillInPlace(view, 7);
  expect((await valuesOf(x)).slice(62, 68)).toEqual([62, 63, 7, 7, 66, 67]);
  view.dispose();
  x.dispose();
});

test('state is kept over programs that write in place', async () => {
  const store = newStore();
  const program = await compileProgram('test', () => {
    fillInPlace(store.get('a'), 3);
    return {};
  });
  await keepingState([program], async () => {
    program.run();
    expect(await valuesOf(store.get('a'))).toEqual([3, 3, 3, 3, 3]);
  });
  expect(await valuesOf(store.get('a'))).toEqual([0, 0, 0, 0, 0]);
  program.dispose();
  store.dispose();
});

test('a ring keeps the results of each run', async () => {
  const store = newStore();
  const ring = new Ring(3, 4);
  const program = await compileProgram('test', () => {
    addInPlace(store.get('b'), twicePlusOne(store.get('b')));
    return { y: twicePlusOne(store.get('b')) };
  });
  for (const step of [1, 2]) {
    submit([program]);
    const { y } = program.outputs;
    if (y) submit(ring.push(step, y));
  }
  const entries = await ring.drain();
  expect(entries.map(({ step, values }) => [step, [...values]])).toEqual([
    [1, [3, 3, 3]],
    [2, [9, 9, 9]],
  ]);
  ring.dispose();
  program.dispose();
  store.dispose();
});
