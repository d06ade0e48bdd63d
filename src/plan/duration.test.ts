import { describe, expect, it } from 'vitest';
import { defaultConfig, PRESETS, type RunConfig, smallerConfig } from '../config/index.ts';
import { estimateSeconds, guessVocab, planRun, type DeviceSpeed } from './index.ts';

const WASM: DeviceSpeed = { flops_per_second: 4e9, step_overhead_ms: 8 };
const secondsOf = (config: RunConfig, speed = WASM): number =>
  estimateSeconds(config, planRun(config, { vocab_size: guessVocab(config) }), speed);
const changed = (change: (config: RunConfig) => void): RunConfig => {
  const config = defaultConfig();
  change(config);
  return config;
};
/** Without evaluations and samples. */
const bare = (change: Partial<RunConfig['training']> = {}): RunConfig =>
  changed(({ training, sampling, model }) => {
    Object.assign(training, { max_iters: 100, eval_interval: 1_000_000, eval_iters: 1 }, change);
    sampling.sample_interval = 0;
    model.n_layer = 2;
  });

describe('estimateSeconds', () => {
  it('adds the fixed cost of every step to its arithmetic', () => {
    const { flops_per_step } = planRun(bare(), { vocab_size: 28 });
    const step = flops_per_step / 4e9 + 0.008;
    // 100 steps, and the one evaluation at the end.
    expect(secondsOf(bare())).toBeCloseTo(step * 100 + step / 3, 6);
  });
  it('is not zero on a fast device whose operations are slow to start', () => {
    expect(secondsOf(bare(), { flops_per_second: 1e15, step_overhead_ms: 50 })).toBeGreaterThan(5);
  });
  it('grows with layers, accumulation, evaluations and samples', () => {
    const base = secondsOf(bare());
    const deeper = bare();
    deeper.model.n_layer = 4;
    const sampled = bare();
    sampled.sampling.sample_interval = 10;
    for (const config of [
      deeper,
      sampled,
      bare({ gradient_accumulation_steps: 2 }),
      bare({ eval_interval: 10, eval_iters: 20 }),
    ])
      expect(secondsOf(config)).toBeGreaterThan(1.01 * base);
  });
  it('ends with the first limit in steps, tokens or seconds', () => {
    const whole = secondsOf(bare());
    expect(secondsOf(bare({ max_seconds: 1 }))).toBe(1);
    const { tokens_per_step } = planRun(bare(), { vocab_size: 28 });
    expect(secondsOf(bare({ max_tokens: tokens_per_step * 50 }))).toBeCloseTo(whole / 2, 0);
    expect(secondsOf(bare({ max_tokens: tokens_per_step * 500 }))).toBe(whole);
  });
  it("gives days to nanoGPT's character preset on two cores, and minutes to its smaller size", () => {
    const processor: DeviceSpeed = { flops_per_second: 70e9, step_overhead_ms: 0.6 };
    const config = PRESETS.find(({ id }) => id === 'novel_char')?.config ?? defaultConfig();
    expect(secondsOf(config, processor)).toBeGreaterThan(20 * 3600);
    expect(secondsOf(smallerConfig(config) ?? config, processor)).toBeLessThan(300);
  });
  it('orders the presets: the names are the fastest on every device', () => {
    for (const speed of [WASM, { flops_per_second: 1e13, step_overhead_ms: 2 }]) {
      const seconds = PRESETS.map(({ config }) => secondsOf(config, speed));
      expect(Math.min(...seconds)).toBe(seconds[0]);
    }
  });
});
