import { mul, sub } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  addInPlace,
  compileProgram,
  fillInPlace,
  gpuMemory,
  hasOwnKernels,
  readback,
  submit,
  tensorCount,
} from '../backend/index.ts';
import {
  defaultConfig,
  type ModelConfig,
  type RecomputeGranularity,
  resolveModel,
} from '../config/index.ts';
import {
  createStores,
  crossEntropyLoss,
  disposeStores,
  evaluation,
  initialValues,
  type ModelStores,
  trainingMicroStep,
  writeBatch,
} from './index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { startOnce } from '../testing/start_once.ts';
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

interface BuildOptions {
  recompute_granularity?: RecomputeGranularity;
  logits_chunk?: number;
  vocab_size?: number;
}

function buildStores(config: Partial<ModelConfig>, options: BuildOptions = {}): ModelStores {
  const { vocab_size = VOCAB, ...rest } = options;
  const model = resolveModel({ ...defaultConfig().model, ...config }, vocab_size);
  const stores = createStores({ model, batch_size: B, block_size: T, ...rest });
  for (const parameter of stores.weights.parameters) {
    stores.weights.write(parameter.name, initialValues(parameter, 7));
  }
  return stores;
}

function writeExample({ inputs, model }: ModelStores, step: number): void {
  const n = B * T;
  const ids = Int32Array.from({ length: n }, (_, i) => (i * i + 3 * i) % VOCAB);
  const example = {
    ids,
    targets: Int32Array.from(ids, (id) => (id * 5 + 2) % VOCAB),
    weights: new Float32Array(n).fill(1 / n),
    positions: Int32Array.from({ length: n }, (_, i) => i % T),
    row_offset: 0,
  };
  writeBatch(inputs, model, example, { seed: 1, step });
}

/** Plain gradient descent: w -= rate g, and zeroes the gradients. */
function compileSgd({ weights, gradients }: ModelStores, rate: number) {
  return compileProgram('sgd', () => {
    for (const name of weights.trainable.names) {
      const gradient = gradients.store.get(name);
      if (hasOwnKernels()) {
        addInPlace(weights.get(name), mul(gradient, -rate));
        fillInPlace(gradient, 0);
      } else {
        weights.trainable.replace(name, sub(weights.get(name), mul(gradient, rate)));
        gradients.store.replace(name, mul(gradient, 0));
      }
    }
    return {};
  });
}

/** Losses of four steps of gradient descent over one batch. */
async function losses(config: Partial<ModelConfig>, options: BuildOptions = {}): Promise<number[]> {
  const stores = buildStores(config, options);
  const microStep = await trainingMicroStep(stores, crossEntropyLoss);
  const update = await compileSgd(stores, 0.5);
  const result: number[] = [];
  for (let step = 0; step < 4; step++) {
    writeExample(stores, step);
    stores.sums.write('sums', new Float32Array(2));
    submit([microStep, update]);
    result.push((await stores.sums.read()).get('sums')?.[0] ?? NaN);
  }
  microStep.dispose();
  update.dispose();
  disposeStores(stores);
  return result;
}

/** Losses of each token and their sums. */
async function evaluated(config: Partial<ModelConfig>, options: BuildOptions = {}) {
  const stores = buildStores(config, options);
  const program = await evaluation(stores, crossEntropyLoss);
  writeExample(stores, 0);
  submit([program]);
  const [tokens, sums] = await readback([program.outputs.losses, program.outputs.sums]);
  program.dispose();
  disposeStores(stores);
  return { tokens: [...(tokens ?? [])], sums: [...(sums ?? [])] };
}

/** The micro-step of a model, as it is compiled. */
async function compiledStep(config: Partial<ModelConfig>, options: BuildOptions = {}) {
  const stores = buildStores(config, options);
  const program = await trainingMicroStep(stores, crossEntropyLoss);
  const { dispatches, scratchBytes, kernels } = program;
  program.dispose();
  disposeStores(stores);
  return { dispatches: dispatches ?? NaN, scratchBytes, kernels };
}

/** Losses on the CPU by model: what the other backends are compared with. */
const cpuLosses = new Map<string, number[]>();

async function expectedLosses(name: string, config: Partial<ModelConfig>): Promise<number[]> {
  const known = cpuLosses.get(name);
  if (known) return known;
  await startOnce('cpu');
  const made = await losses(config);
  cpuLosses.set(name, made);
  return made;
}

const BACKENDS = ['cpu', 'wasm', 'processor', 'webgl', 'webgpu'] as const;

describe.each(BACKENDS)('the model on %s', (backend) => {
  it.each(Object.entries(models))(
    'learns, and computes what the CPU does: %s',
    async (name, config) => {
      const expected = await expectedLosses(name, config);
      await startOnce(backend);
      const memory = () => ({
        tensors: tensorCount(),
        bytes: backend === 'webgpu' ? gpuMemory().allocated : 0,
      });
      const before = memory();
      const actual = await losses(config);
      expect(actual[3]).toBeLessThan((actual[0] ?? 0) - 0.05);
      expectClose(actual, expected, { atol: 0, rtol: 1e-4 }, 'losses');
      expect(memory()).toEqual(before);
    },
  );

  it('has the same losses with activation checkpointing', async () => {
    await startOnce(backend);
    expect(await losses(tiny, { recompute_granularity: 'full' })).toEqual(await losses(tiny));
  });

  it('has the same losses with selective recomputation, and frees all tensors', async () => {
    await startOnce(backend);
    const config = models['llama, grouped queries, qk_norm, window'] ?? {};
    const kept = await losses(config);
    const tensors = tensorCount();
    expect(await losses(config, { recompute_granularity: 'selective' })).toEqual(kept);
    expect(tensorCount()).toBe(tensors);
  });

  it('generates with a KV cache what it computes without one', async () => {
    await startOnce(backend);
    const stores = buildStores(models['llama, grouped queries, qk_norm, window'] ?? {});
    const generator = await Generator.create(stores.model, stores.weights, stores.rotary);
    const ids: number[] = [3];
    const greedy = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, sample_seed: 1 };
    for await (const choice of generator.generate(ids, { ...greedy, max_new_tokens: 6 })) {
      const logits = await generator.readPrompt(ids);
      expect(choice.id).toBe(logits.indexOf(Math.max(...logits)));
      ids.push(choice.id);
    }
    expect(ids).toHaveLength(7);
    generator.dispose();
    disposeStores(stores);
  });
});

describe('evaluation', () => {
  it('returns the loss of each token, whose weighted sum is the loss', async () => {
    await startOnce('processor');
    const { tokens, sums } = await evaluated(tiny);
    expect(tokens).toHaveLength(B * T);
    const mean = tokens.reduce((sum, loss) => sum + loss, 0) / (B * T);
    expect(sums[0]).toBeCloseTo(mean, 5);
    expect(mean).toBeGreaterThan(2);
    expect(mean).toBeLessThan(3);
  });
});

describe('logits in chunks of the vocabulary', () => {
  it.each(['processor', 'webgpu'] as const)(
    'give the same losses and accuracy in an evaluation, on %s',
    async (backend) => {
      await startOnce(backend);
      const untied = { ...tiny, tie_word_embeddings: false };
      const whole = await evaluated(untied);
      const chunked = await evaluated(untied, { logits_chunk: 4 });
      const tolerance = { atol: 1e-6, rtol: 1e-5 };
      expectClose(chunked.tokens, whole.tokens, tolerance, 'token losses');
      expectClose(chunked.sums, whole.sums, tolerance, 'sums');
      expect(whole.tokens).toHaveLength(B * T);
      expect(whole.sums).toHaveLength(2);
    },
  );

  it('take six dispatches per chunk and one more, and the scratch of one chunk', async () => {
    await startOnce('webgpu');
    const vocab_size = 4096;
    const compiled = async (logits_chunk: number) => {
      const { dispatches, scratchBytes, kernels } = await compiledStep(tiny, {
        vocab_size,
        logits_chunk,
      });
      const splits = kernels.filter((kernel) => kernel.startsWith('sum_partials')).length;
      return {
        dispatches: dispatches - splits,
        scratchBytes,
        logitsBytes: 4 * B * T * logits_chunk,
      };
    };
    const whole = await compiled(vocab_size);
    const four = await compiled(1024);
    const eight = await compiled(512);
    // Whole: a matmul, cross-entropy, its gradient and two matmuls.
    const WHOLE_HEAD = 5;
    expect(four.dispatches - whole.dispatches).toBe(4 * 6 + 1 - WHOLE_HEAD);
    expect(eight.dispatches - whole.dispatches).toBe(8 * 6 + 1 - WHOLE_HEAD);
    expect(whole.scratchBytes - four.scratchBytes).toBeGreaterThan(
      0.9 * (whole.logitsBytes - four.logitsBytes),
    );
  });
});

describe('the training micro-step', () => {
  /** Dispatches that one more GPT-2 block adds. */
  async function dispatchesPerBlock(config: Partial<ModelConfig>): Promise<number> {
    const one = await compiledStep({ ...tiny, ...config, n_layer: 1 });
    const two = await compiledStep({ ...tiny, ...config, n_layer: 2 });
    return two.dispatches - one.dispatches;
  }

  it('takes 21 dispatches per GPT-2 block if no matmul is split', async () => {
    await startOnce('webgpu');
    // Forward: two norms, four matmuls, attention. Backward: two dispatches per norm, eight matmuls,
    // two of attention.
    expect(await dispatchesPerBlock({})).toBe(21);
  });

  it('takes four more with dropout', async () => {
    await startOnce('webgpu');
    // Each of two branches draws its mask in a dispatch of its own, in the forward pass (which adds
    // the residual) and in the backward pass.
    expect(await dispatchesPerBlock({ dropout: 0.1 })).toBe(25);
  });
});
