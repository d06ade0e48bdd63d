/**
 * The plan of LoRA over a base in float16 against the buffers that it creates on WebGPU. The device
 * counts them and executes nothing, so it cannot pass the check of float16.
 */
import { beforeAll, expect, it, vi } from 'vitest';
import { deviceMemory, maxBindingSize } from '../backend/index.ts';
import { startWebGpu } from '../backend/start_webgpu.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { parseStage, type StageConfig } from '../config/stage/index.ts';
import { pretrain } from '../objectives/index.ts';
import { planStage } from '../plan/stage.ts';
import { useCountingGpu } from '../testing/counting_gpu.ts';
import { Trainer } from './index.ts';

vi.mock('../backend/float16_check.ts', () => ({
  float16UnsupportedReason: () => Promise.resolve(null),
}));

const vocab_size = 2048;

beforeAll(async () => {
  useCountingGpu();
  await startWebGpu({ lost: () => undefined, error: () => undefined }, 'allowed');
});

function configOf(layout: RunConfig['model']['layout']): RunConfig {
  const config = defaultConfig();
  const size = { n_layer: 6, n_embd: 192, n_inner: 768, block_size: 32 };
  Object.assign(config.model, { layout, ...size });
  if (layout === 'llama') config.model.activation_function = 'silu';
  config.training.batch_size = 4;
  return config;
}

const stageOf = (dtype: StageConfig['peft']['dtype']): StageConfig =>
  parseStage({ peft: { peft_type: 'lora', dtype } });

/** Bytes that a trainer holds. */
async function held(config: RunConfig, stage: StageConfig): Promise<number> {
  const tokens = new Int32Array(2 * config.model.block_size + 2);
  const bytes_per_token = new Uint16Array(vocab_size).fill(1);
  const before = deviceMemory()?.live ?? NaN;
  const split = { train: tokens, val: tokens, bytes_per_token };
  const { mixed_precision } = config.training;
  const precision = { mixed_precision, reason: null };
  const options = { config, objective: pretrain, split, vocab_size, stage, precision };
  const trainer = await Trainer.create(options);
  const bytes = (deviceMemory()?.live ?? NaN) - before;
  trainer.dispose();
  return bytes;
}

const SELECTIVE = { activation_checkpointing: true, recompute_granularity: 'selective' } as const;

it.each([
  ['gpt2', {}],
  ['llama', {}],
  ['gpt2', { ...SELECTIVE, mixed_precision: 'fp16' }],
  ['llama', { ...SELECTIVE, mixed_precision: 'fp16' }],
] as const)(
  'plans what float16 saves in the layout %s, trained with %o',
  async (layout, training) => {
    const config = configOf(layout);
    Object.assign(config.training, training);
    const facts = { vocab_size, max_binding_size: maxBindingSize() };
    const planned = (stage: StageConfig): number => {
      const { memory } = planStage(config, stage, facts);
      return memory.total - memory.cache;
    };
    const [whole, halved] = [stageOf('float32'), stageOf('float16')];
    const [inFloat32, inFloat16] = [await held(config, whole), await held(config, halved)];
    const [error32, error16] = [planned(whole) / inFloat32 - 1, planned(halved) / inFloat16 - 1];
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    console.log(`${layout}: ${percent(error32)} in float32, ${percent(error16)} in float16.`);
    expect(Math.abs(error32)).toBeLessThan(0.1);
    expect(Math.abs(error16)).toBeLessThan(0.1);
    const saved = inFloat32 - inFloat16;
    expect(saved / (planned(whole) - planned(halved)) - 1).toBeCloseTo(0, 2);
    expect(saved / inFloat32).toBeGreaterThan(0.25);
  },
);
