/** Programs that wait for collectives at boundaries, on WebGPU and op by op. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { defaultConfig, resolveModel } from '../config/index.ts';
import {
  createStores,
  crossEntropyLoss,
  disposeStores,
  evaluation,
  initialValues,
  type ModelStores,
  trainingMicroStep,
  writeBatch,
} from '../model/index.ts';
import { createOptimizer } from '../optim/index.ts';
import {
  addInPlace,
  boundary,
  type Collective,
  compileProgram,
  gpuMemory,
  output,
  readback,
  setProgramMode,
  startBackend,
  Store,
  submit,
  type SubmitItem,
  submitStatistics,
  submitWithBoundaries,
  tensorCount,
  writeTensor,
} from './index.ts';
import { startTested } from '../testing/start_once.ts';

const VOCAB_SIZE = 20;
const STEPS = 5;

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits, reads the tensor to the CPU and writes `map` of its values back. */
function waiting(name: string, map: (value: number) => number) {
  const collective = {
    name,
    runs: 0,
    async run(tensor: tf.Tensor): Promise<void> {
      collective.runs++;
      await delay(5);
      const [values = new Float32Array()] = await readback([tensor]);
      await delay(5);
      writeTensor(tensor, values.map(map));
    },
    runSync: (values: Float32Array | Int32Array) => {
      collective.runs++;
      return values.map(map);
    },
  };
  return collective;
}
const identity = (name: string) => waiting(name, (value) => value);
const double = () => waiting('double', (value) => 2 * value);

const gpuErrors: string[] = [];

async function startWebGpu(): Promise<void> {
  await startBackend('webgpu', {
    lost: (reason) => gpuErrors.push(reason),
    error: (message) => gpuErrors.push(message),
  });
}

function noGpuErrors(): void {
  expect(gpuErrors.splice(0)).toEqual([]);
}

interface StepRun {
  losses: number[];
  weights: Map<string, number[]>;
  submits: number;
  boundaries: number[];
}

/** Where a training step is cut, and by which collective. */
type Cut = Record<'afterForward' | 'inBackward' | 'beforeUpdate', Collective>;

const without: Cut | null = null;

/** Five steps of a tiny model, each of one micro-step and an update. */
async function train(
  cut: Cut | null,
  runItems: (items: readonly SubmitItem[]) => Promise<void>,
): Promise<StepRun> {
  const { stores, optimizer, update, microStep } = await tinyTraining(cut);
  const losses: number[] = [];
  const before = submitStatistics().submits;
  for (let step = 0; step < STEPS; step++) {
    writeBatch(stores.inputs, stores.model, batchOf(stores, step), { seed: 7, step });
    stores.sums.write('sums', new Float32Array(2));
    optimizer.prepare(step, 1e-2);
    await runItems([microStep, update]);
    const [results] = await readback([update.outputs.results]);
    losses.push(results?.[0] ?? NaN, results?.[2] ?? NaN);
  }
  const submits = submitStatistics().submits - before;
  const weights = new Map([...(await stores.weights.read())].map(([name, v]) => [name, [...v]]));
  const boundaries = [...microStep.boundaries, ...update.boundaries].map((one) => one.command);
  for (const one of [microStep, update, optimizer]) one.dispose();
  disposeStores(stores);
  return { losses, weights, submits, boundaries };
}

async function tinyTraining(cut: Cut | null) {
  const stores = tinyStores({ n_embd: 16, block_size: 8, batch_size: 4 });
  const { weights, gradients, sums } = stores;
  const buffers = gradients.store;
  const optimizer = createOptimizer(defaultConfig().training, weights.parameters);
  if (cut) {
    cutOnce(sums, 'sums', cut.afterForward);
    cutOnce(buffers, 'transformer.h.1.mlp.c_fc.weight', cut.inBackward);
  }
  const microStep = await trainingMicroStep(stores, crossEntropyLoss);
  const update = await compileProgram('update', () => {
    if (cut) for (const { tensor } of buffers.chunks) boundary(tensor, cut.beforeUpdate);
    return optimizer.finishStep(weights.trainable, buffers, sums);
  });
  return { stores, optimizer, microStep, update };
}

interface TinySize {
  n_embd: number;
  block_size: number;
  batch_size: number;
}

function tinyStores({ batch_size, ...size }: TinySize): ModelStores {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 2, n_head: 2, dropout: 0.1, ...size });
  const stores = createStores({ model: resolveModel(config.model, VOCAB_SIZE), batch_size });
  for (const parameter of stores.weights.parameters)
    stores.weights.write(parameter.name, initialValues(parameter, 7));
  return stores;
}

/** Not cut further by the time that submits take. */
const oneSubmitAPart = (items: readonly SubmitItem[]) => submitWithBoundaries(items, 1);

/** Makes the first use of this tensor in a trace a boundary. */
function cutOnce(store: Store, name: string, collective: Collective): void {
  const get = store.get.bind(store);
  let cut = false;
  store.get = (wanted) => {
    const tensor = get(wanted);
    if (wanted !== name || cut) return tensor;
    cut = true;
    return boundary(tensor, collective);
  };
}

function batchOf({ model, batch_size }: ModelStores, step: number) {
  const n = batch_size * model.block_size;
  const ids = Int32Array.from({ length: n }, (_, i) => (3 * i + 5 * step) % VOCAB_SIZE);
  return {
    ids,
    targets: ids.map((id) => (id + 3) % VOCAB_SIZE),
    weights: new Float32Array(n).fill(1 / n),
    positions: Int32Array.from({ length: n }, (_, i) => i % model.block_size),
    row_offset: 0,
  };
}

describe('boundaries of a replayed training step', () => {
  beforeAll(startWebGpu);
  afterEach(noGpuErrors);

  it('give the same bits as one submit, also if other programs run meanwhile', async () => {
    const whole = await train(without, async (items) => submit(items, 1));
    expect(whole.submits).toBe(STEPS);
    expect(whole.losses.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true);

    // A program that overwrites all shared scratch while the step waits.
    const other = await otherProgram();
    const disturbing = (name: string): Collective => {
      const inner = identity(name);
      return {
        name,
        async run(tensor) {
          await inner.run(tensor);
          submit([other.program]);
          await delay(1);
        },
      };
    };
    const cut = await train(
      {
        afterForward: disturbing('after the forward pass'),
        inBackward: disturbing('in the backward pass'),
        beforeUpdate: disturbing('before the update'),
      },
      oneSubmitAPart,
    );
    other.dispose();
    expect(cut.boundaries).toHaveLength(3);
    expect(cut.boundaries.slice(0, 2).every((command) => command > 0)).toBe(true);
    expect(cut.losses).toEqual(whole.losses);
    expect(cut.weights).toEqual(whole.weights);
  });

  it('submit once for each part', async () => {
    const cut = {
      afterForward: identity('after the forward pass'),
      inBackward: identity('in the backward pass'),
      beforeUpdate: identity('before the update'),
    };
    const { submits } = await train(cut, oneSubmitAPart);
    expect(submits).toBe(4 * STEPS);
    expect(Object.values(cut).map((one) => one.runs)).toEqual([STEPS, STEPS, STEPS]);
  });

  it('are one submit where there are none', async () => {
    const { submits, boundaries } = await train(without, oneSubmitAPart);
    expect(boundaries).toEqual([]);
    expect(submits).toBe(STEPS);
  });
});

/** The evaluation of a larger model, which overwrites all scratch that programs share. */
async function otherProgram() {
  const stores = tinyStores({ n_embd: 32, block_size: 16, batch_size: 8 });
  const program = await evaluation(stores, crossEntropyLoss);
  return {
    program,
    dispose(): void {
      program.dispose();
      disposeStores(stores);
    },
  };
}

describe('a boundary on WebGPU', () => {
  let store: Store;
  let sums: Store;
  beforeAll(async () => {
    await startWebGpu();
    store = new Store('store', [{ name: 'x', shape: [8] }]);
    sums = new Store('sums', [{ name: 'sum', shape: [8] }]);
    store.write('x', Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]));
  });
  afterAll(() => {
    store.dispose();
    sums.dispose();
  });
  afterEach(noGpuErrors);

  const x = [0, 1, 2, 3, 4, 5, 6, 7];

  it('applies a collective to a transient exactly once', async () => {
    const collective = double();
    const program = await compileProgram('doubled', () => {
      const square = tf.square(store.get('x'));
      const other = tf.add(store.get('x'), square);
      const doubled = boundary(square, collective);
      return { y: tf.add(doubled, other), doubled: tf.neg(doubled) };
    });
    expect(program.boundaries.map(({ command }) => command)).toEqual([2]);
    for (const run of [1, 2]) {
      await submitWithBoundaries([program]);
      const [y, doubled] = await readback([program.outputs.y, program.outputs.doubled]);
      expect(collective.runs).toBe(run);
      expect([...(y ?? [])]).toEqual(x.map((v) => 3 * v * v + v));
      expect([...(doubled ?? [])].map(Math.abs)).toEqual(x.map((v) => 2 * v * v));
    }
    program.dispose();
  });

  it('applies a collective to a tensor of a store exactly once a run', async () => {
    sums.write('sum', new Float32Array(8));
    const program = await compileProgram('accumulated', () => {
      addInPlace(sums.get('sum'), store.get('x'));
      boundary(sums.get('sum'), double());
      addInPlace(sums.get('sum'), store.get('x'));
      return {};
    });
    await submitWithBoundaries([program]);
    await submitWithBoundaries([program]);
    const sum = (await sums.read(['sum'])).get('sum');
    expect([...(sum ?? [])]).toEqual(x.map((v) => 2 * (3 * v + v) + v));
    program.dispose();
  });

  it('lets a collective fill a tensor that no kernel writes, and reads one at the end', async () => {
    const sent: number[] = [];
    const program = await compileProgram('received', () => {
      const received = boundary(output([8]), {
        name: 'receive',
        run: (tensor) =>
          writeTensor(
            tensor,
            Float32Array.from(x, (v) => 10 * v),
          ),
      });
      const result = tf.add(received, store.get('x'));
      boundary(result, {
        name: 'send',
        run: async (tensor) => void sent.push(...((await readback([tensor]))[0] ?? [])),
      });
      return {};
    });
    expect(program.boundaries.map(({ command }) => command)).toEqual([0, 1]);
    await submitWithBoundaries([program]);
    expect(sent).toEqual(x.map((v) => 11 * v));
    program.dispose();
  });

  it('awaits items that wait, in order', async () => {
    const order: string[] = [];
    const program = await compileProgram('short', () => ({ y: tf.square(store.get('x')) }));
    await submitWithBoundaries([
      {
        wait: async () => {
          await delay(2);
          order.push('first');
          store.write('x', new Float32Array(8).fill(3));
        },
      },
      program,
      { wait: async () => void order.push('second') },
    ]);
    expect(order).toEqual(['first', 'second']);
    expect([...((await readback([program.outputs.y]))[0] ?? [])]).toEqual(x.map(() => 9));
    store.write('x', Float32Array.from(x));
    program.dispose();
  });

  it('refuses a plain submit, a second run meanwhile, and a constant', async () => {
    const program = await compileProgram('refused', () => {
      const y = boundary(tf.square(store.get('x')), identity('identity'));
      return { y: tf.neg(y) };
    });
    expect(() => submit([program])).toThrow('has boundaries');
    expect(() => program.run()).toThrow('has boundaries');
    const first = submitWithBoundaries([program]);
    await expect(submitWithBoundaries([program])).rejects.toThrow('waiting at a boundary');
    await first;
    program.dispose();
    const constant = compileProgram('constant', () => ({
      y: tf.neg(boundary(tf.tensor([1, 2]), identity('identity'))),
    }));
    await expect(constant).rejects.toThrow('writes a constant');
  });

  it('rejects with the error of the collective, and can run again', async () => {
    let broken = true;
    const program = await compileProgram('broken', () => {
      const y = boundary(tf.square(store.get('x')), {
        name: 'broken',
        run: () => {
          if (broken) throw new Error('the peer is gone');
        },
      });
      return { y: tf.neg(y) };
    });
    await expect(submitWithBoundaries([program])).rejects.toThrow('the peer is gone');
    broken = false;
    await submitWithBoundaries([program]);
    expect([...((await readback([program.outputs.y]))[0] ?? [])]).toEqual(x.map((v) => -(v * v)));
    program.dispose();
  });

  it('gives its memory back', async () => {
    const before = { bytes: gpuMemory().allocated, tensors: tensorCount() };
    const program = await compileProgram('kept', () => ({
      y: tf.neg(boundary(tf.square(store.get('x')), identity('identity'))),
    }));
    expect(program.ownBytes).toBeGreaterThan(0);
    await submitWithBoundaries([program]);
    program.dispose();
    expect({ bytes: gpuMemory().allocated, tensors: tensorCount() }).toEqual(before);
  });
});

describe.each(['webgl', 'wasm', 'cpu'] as const)('a boundary on %s', (name) => {
  beforeAll(async () => {
    await startTested(name);
  });

  it('calls the synchronous form of the collective exactly once', async () => {
    const store = new Store('store', [{ name: 'x', shape: [4] }]);
    store.write('x', Float32Array.from([1, -2, 0.1, 1e-30]));
    const collective = double();
    const program = await compileProgram('doubled', () => {
      const negative = tf.neg(store.get('x'));
      const other = tf.mul(negative, 3);
      const doubled = boundary(negative, collective);
      return { doubled: tf.mul(doubled, 1), other };
    });
    await submitWithBoundaries([program, { wait: () => delay(1) }]);
    const [doubled, other] = await readback([program.outputs.doubled, program.outputs.other]);
    expect(collective.runs).toBe(1);
    expect([...(doubled ?? [])]).toEqual([-2, 4, -2 * Math.fround(0.1), -2 * Math.fround(1e-30)]);
    expect(other?.[1]).toBe(6);
    program.dispose();
    store.dispose();
  });

  it('throws if the collective has no synchronous form', async () => {
    const program = await compileProgram('waiting', () => {
      boundary(tf.zeros([2]), { name: 'all-reduce', run: () => delay(1) });
      return {};
    });
    await expect(submitWithBoundaries([program])).rejects.toThrow(
      'all-reduce is inside a program that runs op by op',
    );
  });
});

describe('a boundary in op-by-op mode on WebGPU', () => {
  beforeAll(startWebGpu);
  afterAll(() => setProgramMode('replay'));
  afterEach(noGpuErrors);

  it('throws inside a program, and waits between two', async () => {
    setProgramMode('op_by_op');
    const x = new Store('x', [{ name: 'x', shape: [2] }]);
    const y = new Store('y', [{ name: 'y', shape: [2] }]);
    x.write('x', Float32Array.from([1, 2]));
    const inside = await compileProgram('inside', () => {
      boundary(x.get('x'), double());
      return {};
    });
    await expect(submitWithBoundaries([inside])).rejects.toThrow('between two programs');
    const add = await compileProgram('add', () => {
      addInPlace(y.get('y'), x.get('x'));
      return {};
    });
    const collective = double();
    await submitWithBoundaries([add, { wait: () => collective.run(y.get('y')) }, add]);
    expect([...((await y.read()).get('y') ?? [])]).toEqual([3, 6]);
    for (const one of [inside, add, x, y]) one.dispose();
  });
});
