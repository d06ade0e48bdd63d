/** Selective recomputation against keeping everything, on the engine on the processor. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setProgramMode, startBackend, tensorCount } from '../backend/index.ts';
import {
  defaultConfig,
  type ModelConfig,
  resolveModel,
  type TrainingConfig,
} from '../config/index.ts';
import { type PeftConfig, parseStage } from '../config/stage/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { tinyRun } from '../testing/tiny_run.ts';
import {
  type BatchLike,
  initialValues,
  listParameters,
  loraParameters,
  trainingMicroStep,
} from './index.ts';
import { crossEntropyLoss } from './losses.ts';

const VOCAB = 40;
const ROWS = 3;
const LENGTH = 8;

const LLAMA = { layout: 'llama', bias: false, activation_function: 'silu' } as const;
/** A head_dim of its own, shared keys and values and QK-norm. */
const QWEN3 = { ...LLAMA, n_kv_head: 1, head_dim: 16, qk_norm: true } as const;
const LORA = parseStage({ peft: { peft_type: 'lora', r: 4, lora_alpha: 8 } }).peft;

interface Case {
  model: Partial<ModelConfig>;
  peft?: PeftConfig;
  /** Largest share of the scratch memory that selective recomputation needs. */
  share: number;
}
const CASES: Record<string, Case> = {
  'GPT-2 with dropout': { model: { dropout: 0.2 }, share: 0.95 },
  'GPT-2 without biases, untied': {
    model: { bias: false, tie_word_embeddings: false, activation_function: 'relu2' },
    share: 0.95,
  },
  'the Llama layout': { model: LLAMA, share: 0.85 },
  'the shape of Qwen3': { model: { ...QWEN3, dropout: 0.1 }, share: 0.7 },
  'adapters over the shape of Qwen3': { model: QWEN3, peft: LORA, share: 0.9 },
};

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

afterEach(() => setProgramMode('replay'));

const BATCH: BatchLike = {
  ids: Int32Array.from({ length: ROWS * LENGTH }, (_, i) => (i * i + 3 * i) % VOCAB),
  targets: Int32Array.from({ length: ROWS * LENGTH }, (_, i) => (5 * i + 2) % VOCAB),
  weights: new Float32Array(ROWS * LENGTH).fill(1 / (ROWS * LENGTH)),
  positions: Int32Array.from({ length: ROWS * LENGTH }, (_, i) => i % LENGTH),
  row_offset: 0,
};

async function gradientsOf({ model, peft }: Case, training: Partial<TrainingConfig>) {
  const small = { n_layer: 4, n_head: 2, n_embd: 16, block_size: LENGTH };
  const config = defaultConfig();
  const resolved = resolveModel({ ...config.model, ...small, ...model }, VOCAB);
  const parameters = [...(peft ? loraParameters(resolved, peft) : []), ...listParameters(resolved)];
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const run = await tinyRun({
    model: resolved,
    training: { ...config.training, ...training },
    batch_size: ROWS,
    initial: (name) => {
      const parameter = byName.get(name);
      if (!parameter) throw new Error(`No parameter ${name}.`);
      // Adapters begin at zero, which would leave half of their gradients zero.
      const values = initialValues(parameter, 7);
      return values.map((value, i) => value + (peft ? 0.01 * Math.sin(i) : 0));
    },
    peft,
  });
  const result = await run.gradients([BATCH, BATCH], 3);
  const step = await trainingMicroStep(run.stores, crossEntropyLoss);
  const { scratchBytes } = step;
  step.dispose();
  run.dispose();
  return { ...result, scratchBytes };
}

const SELECTIVE = { activation_checkpointing: true, recompute_granularity: 'selective' } as const;

describe.each(Object.entries(CASES))('selective recomputation of %s', (_name, one) => {
  it('gives the same gradients bit for bit, in less memory, replayed and op by op', async () => {
    const kept = await gradientsOf(one, {});
    const recomputed = await gradientsOf(one, SELECTIVE);
    expect(recomputed.loss).toBe(kept.loss);
    expect(recomputed.gradients).toEqual(kept.gradients);
    for (const [name, values] of kept.gradients)
      expect(
        values.some((value) => value !== 0),
        name,
      ).toBe(true);
    expect(recomputed.scratchBytes / kept.scratchBytes).toBeLessThan(one.share);
    setProgramMode('op_by_op');
    const tensors = tensorCount();
    const one_by_one = await gradientsOf(one, SELECTIVE);
    expect(one_by_one.gradients).toEqual(kept.gradients);
    expect(tensorCount()).toBe(tensors);
  });
});
