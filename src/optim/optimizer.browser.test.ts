/**
 * Every optimizer on every backend against PyTorch's algorithms in float64, by kernels (replayed and
 * op by op) and by the plain chain; frozen parameters, and skipped updates.
 */
import { afterEach, describe, expect, it } from 'vitest';
import {
  compileProgram,
  gpuMemory,
  hasOwnKernels,
  readback,
  setProgramMode,
  Store,
  submit,
  tensorCount,
  type Values,
} from '../backend/index.ts';
import type { LossScaleState } from '../common/index.ts';
import type { TrainingConfig } from '../config/index.ts';
import { withReferences } from '../ops/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { startOnce } from '../testing/start_once.ts';
import type { OptimizedParameter } from './describe.ts';
import {
  expectedUpdates,
  gradientAt,
  initialValue,
  PARAMETERS,
  rateAt,
  STEPS,
  trainingOf,
  type UpdateResult,
} from './expected_updates.ts';
import { createLossScale, readLossScale } from './loss_scale.ts';
import { createOptimizer } from './optimizer.ts';

const CASES = {
  adamw: { optimizer: 'adamw' },
  'adamw without clipping or decay': {
    optimizer: 'adamw',
    grad_clip: 0,
    weight_decay: 0,
    epsilon: 1e-3,
  },
  adam: { optimizer: 'adam', beta2: 0.999 },
  'sgd with momentum': { optimizer: 'sgd', learning_rate: 0.1 },
  sgd: { optimizer: 'sgd', momentum: 0, learning_rate: 0.1 },
  muon: { optimizer: 'muon', momentum: 0.95 },
} satisfies Record<string, Partial<TrainingConfig>>;

const BACKENDS = ['cpu', 'wasm', 'processor', 'webgl', 'webgpu'] as const;

type Mode = 'replay' | 'op by op' | 'plain';
/** The ways in which the current backend can run an update. */
const modes = (): Mode[] => (hasOwnKernels() ? ['replay', 'op by op', 'plain'] : ['plain']);

/** Runs `fn` with reference implementations in mode 'plain'. */
const inMode = <T>(mode: Mode, fn: () => T): T => (mode === 'plain' ? withReferences(fn) : fn());

const storeOf = (label: string, parameters: readonly OptimizedParameter[]): Store =>
  new Store(
    label,
    parameters.map(({ name, shape }) => ({ name, shape })),
  );

function parameterStore(): Store {
  const store = storeOf('parameters', PARAMETERS);
  for (const p of PARAMETERS) store.write(p.name, initialValue(p));
  return store;
}

interface ActualResult extends UpdateResult {
  /** Largest absolute gradient that the last update left behind. */
  gradientsLeft: number;
  /** Number of tensors after each step. */
  tensors: number[];
  dispatches: number | null;
  stateNames: readonly string[];
  stateBytes: number;
}

/** All steps on the current backend. Parameters that are not `trainable` are frozen. */
async function actualUpdates(
  training: TrainingConfig,
  mode: Mode,
  trainable: readonly OptimizedParameter[] = PARAMETERS,
): Promise<ActualResult> {
  setProgramMode(mode === 'op by op' ? 'op_by_op' : 'replay');
  const parameters = parameterStore();
  const gradients = storeOf('gradients', trainable);
  const optimizer = createOptimizer(training, trainable);
  const update = () => optimizer.update(parameters, gradients);
  // Without programs the function runs at each step, so the mode has to apply inside it.
  const program = await compileProgram('update', () => inMode(mode, update));
  const norms: number[] = [];
  const tensors: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    for (const p of trainable) gradients.write(p.name, gradientAt(p, step));
    optimizer.prepare(step, rateAt(training, step));
    submit([program]);
    const [norm] = await readback([program.outputs.grad_norm]);
    norms.push(norm?.[0] ?? NaN);
    tensors.push(tensorCount());
  }
  const values = new Map<string, Values>([
    ...(await parameters.read()),
    ...(await optimizer.state.read()),
  ]);
  const gradientsAfter = [...(await gradients.read()).values()].flatMap((g) => [...g]);
  const { names: stateNames, bytes: stateBytes } = optimizer.state;
  const { dispatches } = program;
  for (const resource of [program, parameters, gradients, optimizer]) resource.dispose();
  const gradientsLeft = Math.max(...gradientsAfter.map(Math.abs));
  return { norms, values, gradientsLeft, tensors, dispatches, stateNames, stateBytes };
}

function compare(
  actual: UpdateResult,
  expected: UpdateResult,
  tolerance: { atol: number; rtol: number },
): void {
  expect([...actual.values.keys()].sort()).toEqual([...expected.values.keys()].sort());
  expectClose(actual.norms, expected.norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
  for (const [name, values] of expected.values)
    expectClose(actual.values.get(name) ?? [], values, tolerance, name);
}

function expectSameBits(
  actual: UpdateResult | undefined,
  expected: UpdateResult | undefined,
): void {
  expect(actual?.norms).toEqual(expected?.norms);
  expect(actual && [...actual.values]).toEqual(expected && [...expected.values]);
  expect(actual).toBeDefined();
}

/**
 * Newton-Schulz multiplies small singular values, and their rounding errors, by up to 3.4445 in each
 * of its five steps.
 */
const toleranceOf = (name: string): { atol: number; rtol: number } =>
  name === 'muon' ? { atol: 1e-5, rtol: 1e-4 } : { atol: 2e-6, rtol: 1e-5 };

afterEach(() => setProgramMode('replay'));

describe.each(BACKENDS)('an update on %s', (backend) => {
  it.each(Object.entries(CASES))("equals PyTorch's %s", async (name, changes) => {
    await startOnce(backend);
    const training = trainingOf(changes);
    const expected = expectedUpdates(training);
    const before = { tensors: tensorCount(), bytes: gpuMemory().allocated };
    const results = new Map<Mode, UpdateResult>();
    for (const mode of modes()) {
      const actual = await actualUpdates(training, mode);
      results.set(mode, actual);
      compare(actual, expected, toleranceOf(name));
      expect(actual.gradientsLeft).toBe(0);
      expect(new Set(actual.tensors).size).toBe(1);
      expect(tensorCount()).toBe(before.tensors);
      // If the whole chain has a kernel: two dispatches for the norm and one for the update.
      if (mode === 'replay' && name !== 'muon' && name !== 'sgd') {
        expect(actual.dispatches).toBe(3);
        expect(gpuMemory().allocated).toBe(before.bytes);
      }
    }
    // Replayed and op-by-op updates are equal bit for bit.
    if (hasOwnKernels()) expectSameBits(results.get('op by op'), results.get('replay'));
  });
});

describe.each(BACKENDS)('frozen parameters on %s', (backend) => {
  // Frozen parameters between and after those that train, and the usual case of a head alone.
  const SUBSETS = [['wte', 'down', 'norm'], ['lm_head']];

  it.each(Object.entries(CASES))(
    'keep every bit and have no moments: %s',
    async (name, changes) => {
      await startOnce(backend);
      const training = trainingOf(changes);
      for (const names of SUBSETS) {
        const trainable = PARAMETERS.filter((p) => names.includes(p.name));
        const frozen = PARAMETERS.filter((p) => !names.includes(p.name));
        const expected = expectedUpdates(training, { trainable });
        const moments = [...expected.values].filter(([key]) => !names.includes(key));
        for (const mode of hasOwnKernels()
          ? (['replay', 'plain'] as const)
          : (['plain'] as const)) {
          const actual = await actualUpdates(training, mode, trainable);
          for (const p of frozen) expect(actual.values.get(p.name)).toEqual(initialValue(p));
          for (const p of frozen) actual.values.delete(p.name);
          compare(actual, expected, toleranceOf(name));
          expect([...actual.stateNames].sort()).toEqual(moments.map(([key]) => key).sort());
          // Where stores are flat, each tensor starts at a multiple of 256 bytes.
          const alignment = hasOwnKernels() ? 256 : 4;
          const bytes = moments.map(([, v]) => Math.ceil((4 * v.length) / alignment) * alignment);
          expect(actual.stateBytes).toBe(bytes.reduce((a, b) => a + b, 0));
        }
      }
    },
  );
});

describe.each(BACKENDS)('the end of a step on %s', (backend) => {
  it('returns the sums and the norm in one tensor, and resets the sums', async () => {
    await startOnce(backend);
    const before = tensorCount();
    const training = trainingOf({});
    const parameters = parameterStore();
    const gradients = storeOf('gradients', PARAMETERS);
    const sums = new Store('sums', [{ name: 'sums', shape: [3] }]);
    const optimizer = createOptimizer(training, PARAMETERS);
    for (const p of PARAMETERS) gradients.write(p.name, gradientAt(p, 0));
    sums.write('sums', Float32Array.of(3, 0.25, -2));
    optimizer.prepare(0, rateAt(training, 0));
    const program = await compileProgram('update', () =>
      optimizer.finishStep(parameters, gradients, sums),
    );
    submit([program]);
    const [results] = await readback([program.outputs.results]);
    const [norm = NaN] = expectedUpdates(training).norms;
    expectClose(results ?? [], [3, 0.25, -2, norm], { atol: 0, rtol: 1e-5 }, 'results');
    expect([...((await sums.read()).get('sums') ?? [])]).toEqual([0, 0, 0]);
    // One dispatch for the squares, one for the norm and the sums, one for the update.
    expect(program.dispatches).toBe(hasOwnKernels() ? 3 : null);
    for (const resource of [program, parameters, gradients, sums, optimizer]) resource.dispose();
    expect(tensorCount()).toBe(before);
  });
});

/** All steps with a loss scale; one gradient overflows at each of the steps `overflows`. */
async function actualScaledUpdates(
  training: TrainingConfig,
  mode: Mode,
  overflows: readonly number[],
): Promise<UpdateResult & { lossScale: LossScaleState }> {
  setProgramMode(mode === 'op by op' ? 'op_by_op' : 'replay');
  const parameters = parameterStore();
  const gradients = storeOf('gradients', PARAMETERS);
  const sums = new Store('sums', [{ name: 'sums', shape: [2] }]);
  const optimizer = createOptimizer(training, PARAMETERS);
  const scaling = createLossScale(64);
  const update = () => optimizer.finishStep(parameters, gradients, sums, { lossScale: scaling });
  const program = await compileProgram('update', () => inMode(mode, update));
  const norms: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { scale } = await readLossScale(scaling);
    for (const p of PARAMETERS) {
      const scaled = gradientAt(p, step).map((g) => g * scale);
      if (overflows.includes(step) && p.name === 'down') scaled[5] = Infinity;
      gradients.write(p.name, scaled);
    }
    optimizer.prepare(step, rateAt(training, step));
    submit([program]);
    const [results] = await readback([program.outputs.results]);
    if (!overflows.includes(step)) norms.push(results?.[2] ?? NaN);
  }
  const values = new Map<string, Values>([
    ...(await parameters.read()),
    ...(await optimizer.state.read()),
  ]);
  const lossScale = await readLossScale(scaling);
  for (const resource of [program, parameters, gradients, sums, optimizer, scaling.store])
    resource.dispose();
  return { norms, values, lossScale };
}

describe.each(BACKENDS)('an overflow on %s', (backend) => {
  const OVERFLOW_CASES = {
    ...CASES,
    'adam with slow moments': { optimizer: 'adam', beta1: 0.99, beta2: 0.999 },
  } satisfies Record<string, Partial<TrainingConfig>>;

  it.each(Object.entries(OVERFLOW_CASES))(
    "skips the update as if PyTorch's %s had not been called",
    async (name, changes) => {
      await startOnce(backend);
      const training = trainingOf(changes);
      const before = tensorCount();
      for (const overflows of [[0], [1, 2]]) {
        const expected = expectedUpdates(training, { skipped: overflows });
        for (const mode of modes()) {
          const actual = await actualScaledUpdates(training, mode, overflows);
          compare(actual, expected, toleranceOf(name));
          expect(actual.lossScale).toEqual({
            scale: 2 ** (14 - overflows.length),
            clean_steps: overflows[0] === 0 ? 3 : 1,
            skipped_updates: overflows.length,
          });
        }
      }
      expect(tensorCount()).toBe(before);
    },
  );
});

describe('on WebGPU', () => {
  it('Muon keeps one moment of hidden matrices, and two of all other parameters', async () => {
    await startOnce('webgpu');
    const optimizer = createOptimizer(trainingOf({ optimizer: 'muon' }), PARAMETERS);
    const byAdam = ['wte', 'lm_head', 'norm', 'c_attn.bias'];
    const byMuon = ['h.attn.c_attn.weight', 'gate_up', 'down'];
    expect(optimizer.state.names).toEqual([
      ...byAdam.map((name) => `exp_avg.${name}`),
      ...byAdam.map((name) => `exp_avg_sq.${name}`),
      ...byMuon.map((name) => `momentum_buffer.${name}`),
    ]);
    expect(() => optimizer.state.write('exp_avg.down', new Float32Array(60))).toThrow(
      'keeps no exp_avg.down',
    );
    optimizer.dispose();
  });
});
