/**
 * Logits, loss, every gradient and ten AdamW steps against PyTorch in float64 (golden/README.md),
 * on every backend and, on WebGPU, replayed, op by op and with the references.
 */
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode, startBackend } from '../backend/index.ts';
import { ModelSchema, resolveModel, TrainingSchema } from '../config/schema.ts';
import { closeness, expectClose } from '../testing/expect_close.ts';
import { type TinyRun, tinyRun } from '../testing/tiny_run.ts';
import gpt2 from './golden/gpt2.json';
import gpt2UntiedRelu2 from './golden/gpt2_untied_relu2.json';
import llama from './golden/llama.json';
import llamaQkNormWindow from './golden/llama_qk_norm_window.json';
import type { BatchLike } from './index.ts';

type Golden = typeof gpt2;
const CASES: Record<string, Golden> = {
  gpt2,
  gpt2_untied_relu2: gpt2UntiedRelu2,
  llama,
  llama_qk_norm_window: llamaQkNormWindow,
};

const floats = (base64: string): Float32Array =>
  new Float32Array(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);

function batchOf(golden: Golden, step: number): BatchLike {
  const batch = golden.batches[step];
  if (!batch) throw new RangeError(`No batch ${step}.`);
  return {
    ids: Int32Array.from(batch.ids),
    targets: Int32Array.from(batch.targets),
    weights: floats(batch.weights),
    positions: Int32Array.from(batch.ids, (_id, i) => i % golden.model.block_size),
    row_offset: 0,
  };
}

function start(
  golden: Golden,
  references: boolean,
  changes: { mixed_precision?: 'fp16' } = {},
): Promise<TinyRun> {
  const { vocab_size, ...model } = golden.model;
  const initial = new Map(golden.parameters.map((p) => [p.name, floats(p.initial)]));
  return tinyRun(
    resolveModel(v.parse(ModelSchema, model), vocab_size),
    { ...v.parse(TrainingSchema, golden.training), ...changes },
    golden.batch_size,
    (name) => initial.get(name) ?? new Float32Array(),
    references,
  );
}

/**
 * Softmax does not see the key's bias: its gradient is zero but for rounding, which Adam makes as
 * large as any other.
 */
const withoutKeyBias = (name: string, values: ArrayLike<number>): number[] =>
  Array.from(values).filter(
    (_v, i) =>
      !(name.endsWith('attn.c_attn.bias') && i >= values.length / 3 && i < (2 * values.length) / 3),
  );

const worst = new Map<string, number>();
function check(
  what: string,
  way: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { atol: number; rtol: number },
): void {
  const c = closeness(actual, expected, tolerance);
  const share =
    Math.abs(c.worst.actual - c.worst.expected) /
    (tolerance.atol + tolerance.rtol * Math.abs(c.worst.expected));
  const key = `${way}, ${what.split(' of ')[0] ?? what}`;
  worst.set(key, Math.max(worst.get(key) ?? 0, share));
  expectClose(actual, expected, tolerance, what);
}
afterAll(() => {
  console.log(
    `Share of the tolerance used at worst:\n${[...worst].map(([k, s]) => `  ${k}: ${s.toFixed(3)}`).join('\n')}`,
  );
});

const WAYS = {
  cpu: { backend: 'cpu', mode: 'replay', cases: Object.keys(CASES) },
  wasm: { backend: 'wasm', mode: 'replay', cases: Object.keys(CASES) },
  webgl: { backend: 'webgl', mode: 'replay', cases: Object.keys(CASES) },
  'webgpu, replayed': { backend: 'webgpu', mode: 'replay', cases: Object.keys(CASES) },
  // The other two ways take two cases that have every operation between them: software WebGPU is
  // slow.
  'webgpu, op by op': {
    backend: 'webgpu',
    mode: 'op_by_op',
    cases: ['gpt2', 'llama_qk_norm_window'],
  },
  'webgpu, references': {
    backend: 'webgpu',
    mode: 'replay',
    cases: ['gpt2', 'llama_qk_norm_window'],
  },
} as const;

/** One device for all ways of a backend, so that what is compiled once stays. */
let started: string | null = null;

describe.each(Object.entries(WAYS))("PyTorch's numbers on %s", (way, { backend, mode, cases }) => {
  beforeAll(async () => {
    if (started !== backend) await startBackend(backend);
    started = backend;
    setProgramMode(mode);
  });
  afterAll(() => setProgramMode('replay'));

  it.each(cases)('%s', async (name) => {
    const golden = CASES[name];
    if (!golden) throw new Error(`No case ${name}.`);
    const run = await start(golden, way === 'webgpu, references');
    check('logits', way, await run.logits(batchOf(golden, 0)), floats(golden.logits), {
      atol: 2e-5,
      rtol: 1e-5,
    });
    const { loss, gradients } = await run.gradients([batchOf(golden, 0)], 0);
    check('loss', way, [loss], [golden.loss], { atol: 0, rtol: 1e-5 });
    for (const p of golden.parameters)
      check(`gradient of ${p.name}`, way, gradients.get(p.name) ?? [], floats(p.gradient), {
        atol: 2e-6,
        rtol: 1e-4,
      });

    const losses: number[] = [];
    const norms: number[] = [];
    for (let step = 0; step < golden.losses.length; step++) {
      const result = await run.step([batchOf(golden, step)], step);
      losses.push(result.loss);
      norms.push(result.grad_norm);
    }
    check('losses', way, losses, golden.losses, { atol: 0, rtol: 1e-5 });
    check('gradient norms', way, norms, golden.grad_norms, { atol: 0, rtol: 1e-5 });
    const weights = await run.weights();
    for (const p of golden.parameters) {
      check(
        `weights of ${p.name}`,
        way,
        withoutKeyBias(p.name, weights.get(p.name) ?? []),
        withoutKeyBias(p.name, floats(p.final)),
        { atol: 1e-5, rtol: 1e-5 },
      );
    }
    check('final logits', way, await run.logits(batchOf(golden, 0)), floats(golden.final_logits), {
      atol: 5e-5,
      rtol: 1e-5,
    });
    expect(losses[9]).toBeLessThan(losses[0] ?? 0);
    run.dispose();
  });
});

/**
 * In halves an activation is off by 2^-12 of itself on average, and some 20 of them follow one
 * another: a loss within 1e-3, and after ten steps, whose updates Adam makes as large as their rate
 * whatever the gradient, within 5e-3.
 */
describe("PyTorch's numbers in mixed precision", () => {
  beforeAll(async () => {
    if (started !== 'webgpu') await startBackend('webgpu');
    started = 'webgpu';
  });

  it.each(Object.entries(CASES))('%s', async (_name, golden) => {
    const run = await start(golden, false, { mixed_precision: 'fp16' });
    const way = 'webgpu, fp16';
    check('loss', way, [(await run.gradients([batchOf(golden, 0)], 0)).loss], [golden.loss], {
      atol: 0,
      rtol: 1e-3,
    });
    const losses: number[] = [];
    const norms: number[] = [];
    for (let step = 0; step < golden.losses.length; step++) {
      const { loss, grad_norm } = await run.step([batchOf(golden, step)], step);
      losses.push(loss);
      norms.push(grad_norm);
    }
    check('losses', way, losses, golden.losses, { atol: 0, rtol: 5e-3 });
    check('gradient norms', way, norms, golden.grad_norms, { atol: 0, rtol: 1e-2 });
    run.dispose();
  });
});
