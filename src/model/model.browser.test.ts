import { mul, sub } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  addInPlace,
  compileProgram,
  fillInPlace,
  gpuMemory,
  onWebGpu,
  readback,
  startBackend,
  submit,
  tensorCount,
} from '../backend/index.ts';
import { defaultConfig, type ModelConfig, resolveModel } from '../config/index.ts';
import {
  createStores,
  crossEntropyLoss,
  disposeStores,
  evaluation,
  initialValues,
  listParameters,
  type ModelStores,
  trainingMicroStep,
  writeBatch,
} from './index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { Generator } from './generate.ts';

const VOCAB = 11;
const B = 2;
const T = 8;
const tiny: Partial<ModelConfig> = { n_layer: 1, n_head: 2, n_embd: 16, block_size: T };
const models: Record<string, Partial<ModelConfig>> = {
  gpt2: tiny,
  'gpt2 without biases, untied, relu2': {
    ...tiny,
    bias: false,
    tie_word_embeddings: false,
    activation_function: 'relu2',
  },
  'llama, grouped queries, qk_norm, window': {
    ...tiny,
    layout: 'llama',
    n_kv_head: 1,
    activation_function: 'silu',
    qk_norm: true,
    sliding_window: 5,
  },
};

function build(
  config: Partial<ModelConfig>,
  checkpointing = false,
  logits_chunk = VOCAB,
  vocab_size = VOCAB,
): ModelStores {
  const model = resolveModel({ ...defaultConfig().model, ...config }, vocab_size);
  const stores = createStores({
    model,
    batch_size: B,
    block_size: T,
    activation_checkpointing: checkpointing,
    logits_chunk,
  });
  for (const parameter of listParameters(model)) {
    stores.weights.write(parameter.name, initialValues(parameter, 7));
  }
  return stores;
}

const batch = () => {
  const n = B * T;
  const ids = Int32Array.from({ length: n }, (_, i) => (i * i + 3 * i) % VOCAB);
  return {
    ids,
    targets: Int32Array.from(ids, (x) => (x * 5 + 2) % VOCAB),
    weights: new Float32Array(n).fill(1 / n),
    positions: Int32Array.from({ length: n }, (_, i) => i % T),
    row_offset: 0,
  };
};

/** w -= lr g, and the gradients are zero again: the plainest optimizer there is. */
const sgd = (s: ModelStores, lr: number) =>
  compileProgram('sgd', () => {
    for (const name of s.weights.trainable.names) {
      const g = s.gradients.store.get(name);
      if (onWebGpu()) {
        addInPlace(s.weights.get(name), mul(g, -lr));
        fillInPlace(g, 0);
      } else {
        s.weights.trainable.replace(name, sub(s.weights.get(name), mul(g, lr)));
        s.gradients.store.replace(name, mul(g, 0));
      }
    }
    return {};
  });

async function losses(config: Partial<ModelConfig>, checkpointing = false): Promise<number[]> {
  const s = build(config, checkpointing);
  const step = await trainingMicroStep(s, crossEntropyLoss);
  const update = await sgd(s, 0.5);
  const result: number[] = [];
  for (let i = 0; i < 4; i++) {
    writeBatch(s.inputs, s.model, batch(), { seed: 1, step: i });
    s.sums.write('sums', new Float32Array(2));
    submit([step, update]);
    result.push((await s.sums.read()).get('sums')?.[0] ?? NaN);
  }
  step.dispose();
  update.dispose();
  disposeStores(s);
  return result;
}

describe.each(['cpu', 'wasm', 'webgl', 'webgpu'] as const)('the model on %s', (backend) => {
  it.each(Object.entries(models))('learns and computes what cpu does: %s', async (_, config) => {
    await startBackend('cpu');
    const expected = await losses(config);
    await startBackend(backend);
    const tensors = tensorCount();
    const bytes = gpuMemory().allocated;
    const got = await losses(config);
    expect(got[3]).toBeLessThan((got[0] ?? 0) - 0.05);
    got.forEach((loss, i) => {
      const e = expected[i] ?? NaN;
      expect(Math.abs(loss - e) / e).toBeLessThan(1e-4);
    });
    expect(tensorCount()).toBe(tensors);
    if (backend === 'webgpu') expect(gpuMemory().allocated).toBe(bytes);
  });

  it('gives the same losses when blocks run again in the backward pass', async () => {
    await startBackend(backend);
    expect(await losses(tiny, true)).toEqual(await losses(tiny));
  });

  it('generates with a KV cache what it computes without one', async () => {
    await startBackend(backend);
    const s = build(models['llama, grouped queries, qk_norm, window'] ?? {});
    const generator = await Generator.create(s.model, s.weights, s.rotary);
    const ids: number[] = [3];
    for await (const choice of generator.generate(ids, {
      temperature: 0,
      top_k: 0,
      top_p: 1,
      min_p: 0,
      sample_seed: 1,
      max_new_tokens: 6,
    })) {
      const whole = await generator.readPrompt(ids);
      const top = whole.indexOf(Math.max(...whole));
      expect(choice.id).toBe(top);
      ids.push(choice.id);
    }
    expect(ids.length).toBe(7);
    generator.dispose();
    disposeStores(s);
  });
});

describe('evaluation', () => {
  it('gives each token its loss, of which the sum is the weighted mean', async () => {
    await startBackend('wasm');
    const s = build(tiny);
    const program = await evaluation(s, crossEntropyLoss);
    writeBatch(s.inputs, s.model, batch(), { seed: 1, step: 0 });
    submit([program]);
    const [sums, tokens] = await readback([program.outputs.sums, program.outputs.losses]);
    expect(tokens?.length).toBe(B * T);
    const mean = [...(tokens ?? [])].reduce((a, b) => a + b, 0) / (B * T);
    expect(sums?.[0]).toBeCloseTo(mean, 5);
    expect(mean).toBeGreaterThan(2);
    expect(mean).toBeLessThan(3);
    program.dispose();
    disposeStores(s);
  });
});

describe('logits in chunks of the vocabulary', () => {
  it.each(['wasm', 'webgpu'] as const)(
    'give evaluation the same losses and hits, on %s',
    async (backend) => {
      await startBackend(backend);
      const evaluated = async (chunk: number): Promise<Float32Array> => {
        const s = build({ ...tiny, tie_word_embeddings: false }, false, chunk);
        const program = await evaluation(s, crossEntropyLoss);
        writeBatch(s.inputs, s.model, batch(), { seed: 1, step: 0 });
        submit([program]);
        const values = await readback([program.outputs.losses, program.outputs.sums]);
        program.dispose();
        disposeStores(s);
        return Float32Array.from(values.flatMap((v) => [...v]));
      };
      const whole = await evaluated(VOCAB);
      const chunked = await evaluated(4);
      expectClose(chunked, whole, { atol: 1e-6, rtol: 1e-5 }, 'losses and their sums');
      expect(whole.length).toBe(B * T + 2);
    },
  );

  it('take six dispatches a chunk and one more, and scratch of one chunk', async () => {
    await startBackend('webgpu');
    const large = 4096;
    const step = async (chunk: number) => {
      const s = build(tiny, false, chunk, large);
      const program = await trainingMicroStep(s, crossEntropyLoss);
      const { dispatches, scratchBytes, kernels } = program;
      program.dispose();
      disposeStores(s);
      return {
        dispatches: dispatches ?? NaN,
        scratchBytes,
        splits: kernels.filter((k) => k.startsWith('sum_partials')).length,
        logits: 4 * B * T * chunk,
      };
    };
    const whole = await step(large);
    const chunked = await step(1024);
    const smaller = await step(512);
    // Whole: product, cross-entropy; its gradient and two products.
    expect(chunked.dispatches - chunked.splits - (whole.dispatches - whole.splits)).toBe(
      4 * 6 + 1 - 5,
    );
    expect(smaller.dispatches - smaller.splits - (whole.dispatches - whole.splits)).toBe(
      8 * 6 + 1 - 5,
    );
    expect(whole.scratchBytes - chunked.scratchBytes).toBeGreaterThan(
      0.9 * (whole.logits - chunked.logits),
    );
  });
});

describe('the training micro-step', () => {
  it('takes 21 dispatches a GPT-2 block where no product is split, and as few with dropout as its three masks allow', async () => {
    await startBackend('webgpu');
    const perBlock = async (config: Partial<ModelConfig>): Promise<number> => {
      const counts: number[] = [];
      for (const n_layer of [1, 2]) {
        const s = build({ ...tiny, ...config, n_layer });
        const step = await trainingMicroStep(s, crossEntropyLoss);
        counts.push(step.dispatches ?? NaN);
        step.dispose();
        disposeStores(s);
      }
      return (counts[1] ?? NaN) - (counts[0] ?? NaN);
    };
    // Forward: two norms, four products, attention. Backward: two norms of two, eight products,
    // attention's two.
    expect(await perBlock({})).toBe(21);
    // Each branch draws its mask in a dispatch of its own, forward (which adds the residual) and
    // backward.
    expect(await perBlock({ dropout: 0.1 })).toBe(25);
  });
});
