/**
 * What a visitor with WebGPU downloads of tfjs: a handful of kernels, and the rest when something
 * needs it.
 */
import { add, getKernelsForBackend, ones, unregisterKernel } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileProgram, readback, startBackend } from './index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { Trainer } from '../train/index.ts';
import { calibrate } from '../worker/calibrate.ts';
import { pretrain } from '../objectives/index.ts';

const count = (): number => getKernelsForBackend('webgpu').length;

async function create(change: (c: RunConfig) => void): Promise<void> {
  const config = defaultConfig();
  const tokens = new Int32Array(40);
  const vocab_size = 20;
  Object.assign(config.model, { n_layer: 1, n_head: 2, n_embd: 16, block_size: 8 });
  config.training.batch_size = 2;
  change(config);
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token: new Uint16Array(vocab_size).fill(1) },
    vocab_size,
  });
  await trainer.generation();
  await trainer.takeStep();
  for (const { loss } of await trainer.drain()) expect(loss).toBeGreaterThan(0);
  trainer.dispose();
}

beforeAll(async () => {
  for (const k of getKernelsForBackend('webgpu')) unregisterKernel(k.kernelName, 'webgpu');
  await startBackend('webgpu', undefined, { kernels: 'few', software: 'allowed' });
});

describe('the few kernels', () => {
  it.each([
    ['GPT-2', () => undefined],
    [
      'GPT-2 with dropout, untied, without biases, checkpointed',
      (c) => {
        Object.assign(c.model, { dropout: 0.1, tie_word_embeddings: false, bias: false });
        c.training.activation_checkpointing = true;
      },
    ],
    [
      'GPT-2 with relu2, Adam, accumulated',
      (c) => {
        c.model.activation_function = 'relu2';
        Object.assign(c.training, { optimizer: 'adam', gradient_accumulation_steps: 2 });
      },
    ],
    [
      'Llama with all options, SGD',
      (c) => {
        Object.assign(c.model, {
          layout: 'llama',
          n_kv_head: 1,
          activation_function: 'silu',
          qk_norm: true,
          sliding_window: 4,
        });
        c.training.optimizer = 'sgd';
      },
    ],
  ] satisfies [string, (c: RunConfig) => void][])('are enough for %s', async (_name, change) => {
    await calibrate();
    await create(change);
    expect(count()).toBeLessThan(5);
  });

  it('are joined by all others for a program that needs them', async () => {
    expect(count()).toBeLessThan(5);
    const x = ones([4]);
    const program = await compileProgram('sum', () => ({ y: add(x, x) }));
    expect(count()).toBeGreaterThan(100);
    program.run();
    expect(Array.from((await readback([program.outputs.y]))[0] ?? [])).toEqual([2, 2, 2, 2]);
    program.dispose();
    x.dispose();
    await create((c) => {
      c.training.optimizer = 'muon';
    });
  });
});
