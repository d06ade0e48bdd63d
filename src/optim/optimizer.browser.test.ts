/**
 * Every optimizer on every backend against PyTorch's algorithms in float64, and the kernels against
 * the plain chain.
 */
import { afterEach, describe, expect, it } from 'vitest';
import {
  compileProgram,
  gpuMemory,
  onWebGpu,
  readback,
  setProgramMode,
  startBackend,
  Store,
  submit,
  tensorCount,
  type Values,
} from '../backend/index.ts';
import type { LossScaleState } from '../common/index.ts';
import { defaultConfig, type TrainingConfig } from '../config/index.ts';
import { withReferences } from '../ops/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import type { OptimizedParameter } from './describe.ts';
import { packedColumns } from './muon.ts';
import { createLossScale, readLossScale } from './loss_scale.ts';
import { createOptimizer } from './optimizer.ts';
import * as torch from './torch_oracle.ts';

const parameter = (
  name: string,
  shape: readonly number[],
  kind: OptimizedParameter['kind'],
  cuts: readonly number[] = [],
): OptimizedParameter => {
  const ends = [...cuts, shape[shape.length - 1] ?? 1];
  return {
    name,
    shape,
    kind,
    decay: shape.length > 1,
    parts: ends.map((end, i) => ({ start: ends[i - 1] ?? 0, end })),
  };
};
/** Odd sizes, matrices first, as src/model lists them; the head comes after the hidden matrices. */
const PARAMETERS: readonly OptimizedParameter[] = [
  parameter('wte', [7, 6], 'embedding'),
  parameter('h.attn.c_attn.weight', [6, 18], 'matrix'),
  parameter('gate_up', [6, 20], 'matrix', [10]),
  parameter('down', [10, 6], 'matrix'),
  parameter('lm_head', [11, 6], 'head'),
  parameter('norm', [6], 'norm'),
  parameter('c_attn.bias', [18], 'bias'),
];
const STEPS = 4;
const sizeOf = (p: OptimizedParameter): number => p.shape.reduce((a, b) => a * b, 1);
const wave = (n: number, phase: number, size: number): Float32Array =>
  Float32Array.from({ length: n }, (_v, i) => size * Math.sin(1.3 * i * i + 2.1 * i + phase));
const startOf = (p: OptimizedParameter, i: number): Float32Array => wave(sizeOf(p), 10 * i, 0.8);
/** Norms from far below the clip (0.1) to far above it. */
const gradientOf = (p: OptimizedParameter, i: number, step: number): Float32Array =>
  wave(sizeOf(p), 10 * i + 3 * step + 1, [0.5, 0.002, 0.02, 3][step] ?? 1);

const CASES: Record<string, Partial<TrainingConfig>> = {
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
};
const trainingOf = (changes: Partial<TrainingConfig>): TrainingConfig => ({
  ...defaultConfig().training,
  learning_rate: 0.01,
  weight_decay: 0.1,
  grad_clip: 1,
  ...changes,
});
const rateAt = (t: TrainingConfig, step: number): number => t.learning_rate * (1 - 0.1 * step);

type Result = { norms: number[]; values: Map<string, ArrayLike<number>> };

/**
 * The same steps in float64. Those of `left_out` are no steps at all, as GradScaler has it; the
 * rate goes on.
 */
function expected(t: TrainingConfig, left_out: readonly number[] = []): Result {
  const values = new Map<string, Float64Array>();
  const adam = new Map<string, torch.AdamState>();
  const norms: number[] = [];
  PARAMETERS.forEach((p, i) => {
    values.set(p.name, Float64Array.from(startOf(p, i)));
    const isMuon = t.optimizer === 'muon' && p.kind === 'matrix';
    if (!isMuon && t.optimizer !== 'sgd') {
      const s = torch.adamState(sizeOf(p));
      adam.set(p.name, s);
      values.set(`exp_avg.${p.name}`, s.exp_avg).set(`exp_avg_sq.${p.name}`, s.exp_avg_sq);
    } else if (isMuon || t.momentum > 0)
      values.set(`momentum_buffer.${p.name}`, new Float64Array(sizeOf(p)));
  });
  for (let step = 0; step < STEPS; step++) {
    const gradients = PARAMETERS.map((p, i) => Float64Array.from(gradientOf(p, i, step)));
    norms.push(torch.clipGradNorm(gradients, t.grad_clip));
    if (left_out.includes(step)) continue;
    PARAMETERS.forEach((p, i) =>
      moveOne(t, p, rateAt(t, step), gradients[i] ?? new Float64Array(), values, adam.get(p.name)),
    );
  }
  return { norms, values };
}

function moveOne(
  t: TrainingConfig,
  p: OptimizedParameter,
  lr: number,
  g: Float64Array,
  values: Map<string, Float64Array>,
  adam?: torch.AdamState,
): void {
  const value = values.get(p.name) ?? new Float64Array();
  const buffer = values.get(`momentum_buffer.${p.name}`);
  const weight_decay = p.decay ? t.weight_decay : 0;
  if (adam)
    torch.adam(value, g, adam, {
      lr,
      beta1: t.beta1,
      beta2: t.beta2,
      eps: t.epsilon,
      weight_decay,
      decoupled: t.optimizer !== 'adam',
    });
  else if (t.optimizer === 'sgd')
    torch.sgd(value, g, buffer ?? new Float64Array(g.length), {
      lr,
      momentum: t.momentum,
      weight_decay,
    });
  else {
    const [rows = 0, columns = 0] = p.shape;
    const whole = (data: Float64Array): torch.Matrix => ({ rows, columns, data });
    const muonRate = (t.muon_learning_rate * lr) / t.learning_rate;
    for (const { start, end } of packedColumns(p)) {
      // PyTorch's matrices are [out, in].
      const cut = (data: Float64Array): torch.Matrix =>
        torch.transposed(torch.columnsOf(whole(data), start, end));
      const part = cut(value);
      const b = cut(buffer ?? new Float64Array());
      const back = (m: torch.Matrix, into: Float64Array): void => {
        const t2 = torch.transposed(m);
        t2.data.forEach((v, i) => {
          into[Math.floor(i / t2.columns) * columns + start + (i % t2.columns)] = v;
        });
      };
      torch.muon(part, cut(g), b, { lr: muonRate, momentum: t.momentum, weight_decay });
      back(part, value);
      if (buffer) back(b, buffer);
    }
  }
}

/** The steps on the present backend. */
async function actual(
  t: TrainingConfig,
  plain = false,
): Promise<Result & { gradientsLeft: number; tensors: number[]; dispatches: number | null }> {
  const specs = PARAMETERS.map((p) => ({ name: p.name, shape: p.shape }));
  const parameters = new Store('parameters', specs);
  const gradients = new Store('gradients', specs);
  const optimizer = createOptimizer(t, PARAMETERS);
  PARAMETERS.forEach((p, i) => parameters.write(p.name, startOf(p, i)));
  const update = () => optimizer.update(parameters, gradients);
  // Where there are no programs the function runs at each step, so references are chosen inside it.
  const program = await compileProgram('update', () => (plain ? withReferences(update) : update()));
  const norms: number[] = [];
  const tensors: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    PARAMETERS.forEach((p, i) => gradients.write(p.name, gradientOf(p, i, step)));
    optimizer.prepare(step, rateAt(t, step));
    submit([program]);
    norms.push((await readback([program.outputs.grad_norm]))[0]?.[0] ?? NaN);
    tensors.push(tensorCount());
  }
  const values = new Map<string, Values>([
    ...(await parameters.read()),
    ...(await optimizer.state.read()),
  ]);
  const gradientsLeft = Math.max(
    ...[...(await gradients.read()).values()].flatMap((g) => [...g].map(Math.abs)),
  );
  const { dispatches } = program;
  program.dispose();
  for (const d of [parameters, gradients, optimizer]) d.dispose();
  return { norms, values, gradientsLeft, tensors, dispatches };
}

function compare(got: Result, want: Result, tolerance: { atol: number; rtol: number }): void {
  expect([...got.values.keys()].sort()).toEqual([...want.values.keys()].sort());
  expectClose(got.norms, want.norms, { atol: 0, rtol: 1e-5 }, 'gradient norms');
  for (const [name, values] of want.values)
    expectClose(got.values.get(name) ?? [], values, tolerance, name);
}

/**
 * Newton-Schulz multiplies small singular values by up to 3.4445 a step, five times, and rounding
 * with them.
 */
const toleranceOf = (name: string): { atol: number; rtol: number } =>
  name === 'muon' ? { atol: 1e-5, rtol: 1e-4 } : { atol: 2e-6, rtol: 1e-5 };

describe.each(['cpu', 'wasm', 'webgl', 'webgpu'] as const)('%s', (backend) => {
  afterEach(() => setProgramMode('replay'));

  it.each(Object.entries(CASES))("%s equals PyTorch's algorithm", async (name, changes) => {
    await startBackend(backend);
    const t = trainingOf(changes);
    const want = expected(t);
    const before = { tensors: tensorCount(), bytes: gpuMemory().allocated };
    for (const way of onWebGpu() ? ['replay', 'op by op', 'plain'] : ['plain']) {
      setProgramMode(way === 'op by op' ? 'op_by_op' : 'replay');
      const got = await actual(t, way === 'plain');
      compare(got, want, toleranceOf(name));
      expect(got.gradientsLeft).toBe(0);
      expect(new Set(got.tensors).size).toBe(1);
      expect(tensorCount()).toBe(before.tensors);
      // Two dispatches for the norm and one for everything else, where the whole chain has a
      // kernel.
      if (way === 'replay' && name !== 'muon' && name !== 'sgd') {
        expect(got.dispatches).toBe(3);
        expect(gpuMemory().allocated).toBe(before.bytes);
      }
    }
  });
});

describe.each(['cpu', 'webgl', 'webgpu'] as const)('the end of a step on %s', (backend) => {
  it('gives the sums and the norm in one tensor, and starts the sums anew', async () => {
    await startBackend(backend);
    const before = tensorCount();
    const specs = PARAMETERS.map((p) => ({ name: p.name, shape: p.shape }));
    const parameters = new Store('parameters', specs);
    const gradients = new Store('gradients', specs);
    const sums = new Store('sums', [{ name: 'sums', shape: [2] }]);
    const t = trainingOf({});
    const optimizer = createOptimizer(t, PARAMETERS);
    PARAMETERS.forEach((p, i) => {
      parameters.write(p.name, startOf(p, i));
      gradients.write(p.name, gradientOf(p, i, 0));
    });
    sums.write('sums', Float32Array.of(3, 0.25));
    optimizer.prepare(0, rateAt(t, 0));
    const program = await compileProgram('update', () =>
      optimizer.finishStep(parameters, gradients, sums),
    );
    const [norm = NaN] = expected(t).norms;
    submit([program]);
    const [results] = await readback([program.outputs.results]);
    expectClose(results ?? [], [3, 0.25, norm], { atol: 0, rtol: 1e-5 }, 'results');
    expect([...((await sums.read()).get('sums') ?? [])]).toEqual([0, 0]);
    // A dispatch for the squares, one for their root and the sums, one for all else.
    expect(program.dispatches).toBe(backend === 'webgpu' ? 3 : null);
    program.dispose();
    for (const d of [parameters, gradients, sums, optimizer]) d.dispose();
    expect(tensorCount()).toBe(before);
  });
});

/**
 * The steps under a loss scale, in whose gradients there is one value that is no number at the
 * steps of `left_out`.
 */
async function scaled(
  t: TrainingConfig,
  left_out: readonly number[],
  plain: boolean,
): Promise<Result & { scale: LossScaleState }> {
  const specs = PARAMETERS.map((p) => ({ name: p.name, shape: p.shape }));
  const parameters = new Store('parameters', specs);
  const gradients = new Store('gradients', specs);
  const sums = new Store('sums', [{ name: 'sums', shape: [2] }]);
  const optimizer = createOptimizer(t, PARAMETERS);
  const scaling = createLossScale(64);
  const norms: number[] = [];
  PARAMETERS.forEach((p, i) => parameters.write(p.name, startOf(p, i)));
  const update = () => optimizer.finishStep(parameters, gradients, sums, scaling);
  const program = await compileProgram('update', () => (plain ? withReferences(update) : update()));
  for (let step = 0; step < STEPS; step++) {
    const { scale } = await readLossScale(scaling);
    PARAMETERS.forEach((p, i) =>
      gradients.write(
        p.name,
        gradientOf(p, i, step).map((g, k) =>
          left_out.includes(step) && i === 3 && k === 5 ? Infinity : g * scale,
        ),
      ),
    );
    optimizer.prepare(step, rateAt(t, step));
    submit([program]);
    const [results] = await readback([program.outputs.results]);
    if (!left_out.includes(step)) norms.push(results?.[2] ?? NaN);
  }
  const values = new Map<string, Values>([
    ...(await parameters.read()),
    ...(await optimizer.state.read()),
  ]);
  const scale = await readLossScale(scaling);
  for (const d of [program, parameters, gradients, sums, optimizer, scaling.store]) d.dispose();
  return { norms, values, scale };
}

describe.each(['cpu', 'webgl', 'webgpu'] as const)('an update that overflows on %s', (backend) => {
  afterEach(() => setProgramMode('replay'));

  it.each(
    Object.entries({
      ...CASES,
      'adam, slow moments': { optimizer: 'adam', beta1: 0.99, beta2: 0.999 },
    } satisfies typeof CASES),
  )("is no step of PyTorch's %s", async (name, changes) => {
    await startBackend(backend);
    const t = trainingOf(changes);
    const before = tensorCount();
    for (const left_out of [[0], [1, 2]]) {
      const { norms, values } = expected(t, left_out);
      const want = { values, norms: norms.filter((_n, step) => !left_out.includes(step)) };
      for (const way of onWebGpu() ? ['replay', 'op by op', 'plain'] : ['plain']) {
        setProgramMode(way === 'op by op' ? 'op_by_op' : 'replay');
        const got = await scaled(t, left_out, way === 'plain');
        compare(got, want, toleranceOf(name));
        expect(got.scale).toEqual({
          scale: 2 ** (14 - left_out.length),
          clean_steps: left_out[0] === 0 ? 3 : 1,
          skipped_updates: left_out.length,
        });
      }
    }
    expect(tensorCount()).toBe(before);
  });
});

describe('on WebGPU', () => {
  it('replayed and op by op are equal bit for bit', async () => {
    await startBackend('webgpu');
    for (const changes of [CASES.adamw, CASES.muon, CASES['sgd with momentum']]) {
      const t = trainingOf(changes ?? {});
      const replayed = await actual(t);
      setProgramMode('op_by_op');
      const direct = await actual(t);
      setProgramMode('replay');
      expect(direct.norms).toEqual(replayed.norms);
      expect([...direct.values]).toEqual([...replayed.values]);
    }
  });

  it('Muon keeps two moments of what is not a hidden matrix, and one of what is', async () => {
    await startBackend('webgpu');
    const optimizer = createOptimizer(trainingOf({ optimizer: 'muon' }), PARAMETERS);
    expect(optimizer.state.names).toEqual([
      ...['exp_avg', 'exp_avg_sq'].flatMap((m) =>
        ['wte', 'lm_head', 'norm', 'c_attn.bias'].map((n) => `${m}.${n}`),
      ),
      ...['h.attn.c_attn.weight', 'gate_up', 'down'].map((n) => `momentum_buffer.${n}`),
    ]);
    expect(() => optimizer.state.write('exp_avg.down', new Float32Array(60))).toThrow(
      'keeps no exp_avg.down',
    );
    optimizer.dispose();
  });
});
