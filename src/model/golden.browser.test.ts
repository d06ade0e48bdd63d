/**
 * Compares logits, loss, all gradients and ten AdamW steps with PyTorch in float64
 * (golden/README.md) on every backend; replayed and op by op on WebGPU and on the processor, and with
 * the references on WebGPU.
 */
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode } from '../backend/index.ts';
import { ModelSchema, resolveModel, TrainingSchema } from '../config/schema.ts';
import { closeness, expectClose } from '../testing/expect_close.ts';
import { startOnce } from '../testing/start_once.ts';
import { type TinyRun, tinyRun } from '../testing/tiny_run.ts';
import gpt2 from './golden/gpt2.json';
import gpt2ExactGelu from './golden/gpt2_exact_gelu.json';
import gpt2UntiedRelu2 from './golden/gpt2_untied_relu2.json';
import llama from './golden/llama.json';
import llamaHeadsBiasesScaled from './golden/llama_heads_biases_scaled.json';
import llamaQkNormWindow from './golden/llama_qk_norm_window.json';
import type { BatchLike } from './index.ts';

type Golden = typeof gpt2;
const CASES: Record<string, Golden> = {
  gpt2,
  gpt2_untied_relu2: gpt2UntiedRelu2,
  gpt2_exact_gelu: gpt2ExactGelu,
  llama,
  llama_qk_norm_window: llamaQkNormWindow,
  llama_heads_biases_scaled: llamaHeadsBiasesScaled,
};

function floats(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
}

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

interface StartOptions {
  references?: boolean;
  mixed_precision?: 'fp16';
}

function start(golden: Golden, options: StartOptions = {}): Promise<TinyRun> {
  const { vocab_size, ...model } = golden.model;
  const training = v.parse(TrainingSchema, golden.training);
  if (options.mixed_precision) training.mixed_precision = options.mixed_precision;
  const initial = new Map(golden.parameters.map((one) => [one.name, floats(one.initial)]));
  return tinyRun({
    model: resolveModel(v.parse(ModelSchema, model), vocab_size),
    training,
    batch_size: golden.batch_size,
    initial: (name) => initial.get(name) ?? new Float32Array(),
    references: options.references ?? false,
  });
}

/** Takes a step over each of the golden batches. */
async function trainAll(run: TinyRun, golden: Golden) {
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < golden.losses.length; step++) {
    const { loss, grad_norm } = await run.step([batchOf(golden, step)], step);
    losses.push(loss);
    norms.push(grad_norm);
  }
  return { losses, norms };
}

/**
 * Softmax does not depend on the key's bias, so its gradient is rounding noise, which Adam scales up
 * to the size of any other update. The keys are the middle third of `c_attn`.
 */
function withoutKeyBias(name: string, values: ArrayLike<number>): number[] {
  const all = Array.from(values);
  if (!name.endsWith('attn.c_attn.bias')) return all;
  const third = values.length / 3;
  return all.filter((_, i) => i < third || i >= 2 * third);
}

/** The largest share of its tolerance that each kind of comparison has used. */
const largestShares = new Map<string, number>();

interface Comparison {
  /** Such as "gradient of lm_head.weight". */
  what: string;
  way: string;
  tolerance: { atol: number; rtol: number };
}

function check(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { what, way, tolerance }: Comparison,
): void {
  const { worst } = closeness(actual, expected, tolerance);
  const allowed = tolerance.atol + tolerance.rtol * Math.abs(worst.expected);
  const share = Math.abs(worst.actual - worst.expected) / allowed;
  const kind = `${way}, ${what.split(' of ')[0] ?? what}`;
  largestShares.set(kind, Math.max(largestShares.get(kind) ?? 0, share));
  expectClose(actual, expected, tolerance, what);
}

afterAll(() => {
  const lines = [...largestShares].map(([kind, share]) => `  ${kind}: ${share.toFixed(3)}`);
  console.log(`Largest share of the tolerance used:\n${lines.join('\n')}`);
});

const WAYS = {
  cpu: { backend: 'cpu', mode: 'replay', cases: Object.keys(CASES) },
  wasm: { backend: 'wasm', mode: 'replay', cases: Object.keys(CASES) },
  webgl: { backend: 'webgl', mode: 'replay', cases: Object.keys(CASES) },
  'processor, replayed': { backend: 'processor', mode: 'replay', cases: Object.keys(CASES) },
  'processor, op by op': { backend: 'processor', mode: 'op_by_op', cases: Object.keys(CASES) },
  'webgpu, replayed': { backend: 'webgpu', mode: 'replay', cases: Object.keys(CASES) },
  // Two cases that have every operation between them, because software WebGPU is slow.
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

describe.each(Object.entries(WAYS))('the model on %s', (way, { backend, mode, cases }) => {
  beforeAll(async () => {
    await startOnce(backend);
    setProgramMode(mode);
  });
  afterAll(() => setProgramMode('replay'));

  it.each(cases)("computes and learns PyTorch's numbers: %s", async (name) => {
    const golden = CASES[name];
    if (!golden) throw new Error(`No case ${name}.`);
    const run = await start(golden, { references: way === 'webgpu, references' });
    check(await run.logits(batchOf(golden, 0)), floats(golden.logits), {
      what: 'logits',
      way,
      tolerance: { atol: 2e-5, rtol: 1e-5 },
    });
    const { loss, gradients } = await run.gradients([batchOf(golden, 0)], 0);
    check([loss], [golden.loss], { what: 'loss', way, tolerance: { atol: 0, rtol: 1e-5 } });
    for (const parameter of golden.parameters) {
      check(gradients.get(parameter.name) ?? [], floats(parameter.gradient), {
        what: `gradient of ${parameter.name}`,
        way,
        tolerance: { atol: 2e-6, rtol: 1e-4 },
      });
    }

    const { losses, norms } = await trainAll(run, golden);
    const tolerance = { atol: 0, rtol: 1e-5 };
    check(losses, golden.losses, { what: 'losses', way, tolerance });
    check(norms, golden.grad_norms, { what: 'gradient norms', way, tolerance });
    const weights = await run.weights();
    for (const { name: parameter, final } of golden.parameters) {
      check(
        withoutKeyBias(parameter, weights.get(parameter) ?? []),
        withoutKeyBias(parameter, floats(final)),
        { what: `weights of ${parameter}`, way, tolerance: { atol: 1e-5, rtol: 1e-5 } },
      );
    }
    check(await run.logits(batchOf(golden, 0)), floats(golden.final_logits), {
      what: 'final logits',
      way,
      tolerance: { atol: 5e-5, rtol: 1e-5 },
    });
    expect(losses[9]).toBeLessThan(losses[0] ?? 0);
    run.dispose();
  });
});

/**
 * A float16 activation has a relative error of 2^-12 on average, and errors of some 20 of them add
 * up: 1e-3 for a loss. After ten steps, whose updates Adam makes as large as the learning rate
 * whatever the gradient, 5e-3.
 */
describe('the model in mixed precision', () => {
  const way = 'webgpu, fp16';
  beforeAll(() => startOnce('webgpu'));

  it.each(Object.entries(CASES))("learns PyTorch's numbers: %s", async (_, golden) => {
    const run = await start(golden, { mixed_precision: 'fp16' });
    const { loss } = await run.gradients([batchOf(golden, 0)], 0);
    check([loss], [golden.loss], { what: 'loss', way, tolerance: { atol: 0, rtol: 1e-3 } });
    const { losses, norms } = await trainAll(run, golden);
    check(losses, golden.losses, { what: 'losses', way, tolerance: { atol: 0, rtol: 5e-3 } });
    check(norms, golden.grad_norms, {
      what: 'gradient norms',
      way,
      tolerance: { atol: 0, rtol: 1e-2 },
    });
    run.dispose();
  });
});
