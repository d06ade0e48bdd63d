/** LoRA runs whose base WebGPU keeps in float16, against the same runs with a base in float32. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { defaultConfig, type ModelConfig } from '../config/index.ts';
import { parseStage, type PeftConfig } from '../config/stage/index.ts';
import { fitsFloat16 } from '../model/frozen_float16.ts';
import { isAdapterTensor, listParameters } from '../model/index.ts';
import { pretrain } from '../objectives/index.ts';
import { roundToFloat16 } from '../testing/check_float16.ts';
import { expectClose } from '../testing/expect_close.ts';
import { Trainer } from './index.ts';

const VOCAB = 12;
const STEPS = 4;

beforeAll(async () => {
  await startBackend('webgpu');
});

function trainerOf(model: Partial<ModelConfig>, dtype: PeftConfig['dtype']): Promise<Trainer> {
  const config = defaultConfig();
  const small = { n_layer: 1, n_head: 2, n_embd: 16, n_inner: 32, block_size: 8, dropout: 0 };
  Object.assign(config.model, small, model);
  Object.assign(config.training, { batch_size: 4, warmup_iters: 0, learning_rate: 0.01 });
  const tokens = Int32Array.from({ length: 300 }, (_, i) => (i * i + 3 * i) % VOCAB);
  const bytes_per_token = new Uint16Array(VOCAB).fill(1);
  return Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token },
    vocab_size: VOCAB,
    stage: parseStage({ peft: { peft_type: 'lora', r: 4, lora_alpha: 8, dtype } }),
  });
}

/** Losses, norms of gradients and adapters of some steps, and the base on the device around them. */
async function trained(model: Partial<ModelConfig>, dtype: PeftConfig['dtype']) {
  const trainer = await trainerOf(model, dtype);
  const { frozen } = trainer.stores.weights;
  const [begun, before] = [await trainer.state(), await frozen?.read()];
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    await trainer.takeStep();
    for (const { loss, grad_norm } of await trainer.drain()) {
      losses.push(loss);
      norms.push(grad_norm);
    }
  }
  const [ended, after] = [await trainer.state(), await frozen?.read()];
  const halved = listParameters(trainer.model).filter(fitsFloat16);
  trainer.dispose();
  return { losses, norms, begun, ended, before, after, halved, bytes: frozen?.bytes ?? 0 };
}

describe.each([
  ['gpt2', { layout: 'gpt2' }],
  ['llama', { layout: 'llama', activation_function: 'silu', bias: false, n_kv_head: 1 }],
] as const)('LoRA over a base in float16: %s', (_name, model) => {
  it('takes the steps of a base in float32 within 0.1 %, and changes no bit of the base', async () => {
    const single = await trained(model, 'float32');
    const half = await trained(model, 'float16');
    expectClose(half.losses, single.losses, { atol: 0, rtol: 1e-4 }, 'losses');
    expectClose(half.norms, single.norms, { atol: 0, rtol: 1e-3 }, 'gradient norms');
    expect(half.losses).not.toEqual(single.losses);
    expect(half.losses.at(-1)).toBeLessThan(half.losses[0] ?? 0);
    expect(half.after).toEqual(half.before);
    expect(half.halved).not.toEqual([]);
    for (const { name } of half.halved) {
      const original = single.begun.parameters.get(name);
      expect(half.before?.get(name), name).toEqual(original?.map(roundToFloat16));
    }
    expect(half.bytes).toBeLessThan(0.75 * single.bytes);
    // Checkpoints keep the base as it was before rounding.
    expect(half.ended.parameters).toEqual(single.begun.parameters);
    const adapters = [...(half.ended.objective_tensors ?? [])];
    expect(adapters).not.toEqual([]);
    for (const [name, { data }] of adapters) {
      expect(isAdapterTensor(name)).toBe(true);
      expect(data, name).not.toEqual(half.begun.objective_tensors?.get(name)?.data);
    }
  });
});
