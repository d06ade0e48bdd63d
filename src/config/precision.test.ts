import { describe, expect, it } from 'vitest';
import {
  asComputed,
  defaultConfig,
  type PrecisionFacts,
  type RunConfig,
  withoutEffect,
} from './index.ts';

const config = (change: Partial<RunConfig['runtime']> = {}): RunConfig => ({
  ...defaultConfig(),
  training: { ...defaultConfig().training, mixed_precision: 'fp16' },
  runtime: { ...defaultConfig().runtime, ...change },
});
const facts = (changes: Partial<PrecisionFacts> = {}): PrecisionFacts => ({
  backend: 'webgpu',
  features: ['chromium-experimental-subgroup-matrix'],
  run: null,
  ...changes,
});

describe('mixed precision', () => {
  it('is single precision without WebGPU', () => {
    expect(asComputed(config(), 'wasm').training.mixed_precision).toBe('no');
    for (const backend of ['webgpu', undefined] as const)
      expect(asComputed(config(), backend).training.mixed_precision).toBe('fp16');
  });

  it.each([
    ['training.mixed_precision', {}, facts(), null],
    ['training.mixed_precision', {}, facts({ backend: undefined }), null],
    ['training.mixed_precision', {}, facts({ backend: 'webgl' }), /needs WebGPU/],
    ['training.mixed_precision', { backend: 'wasm' }, facts(), /needs WebGPU/],
    ['training.mixed_precision', { backend: 'webgpu' }, facts({ backend: 'wasm' }), null],
    [
      'training.mixed_precision',
      {},
      facts({
        run: {
          mixed_precision: 'no',
          subgroup_matrices: false,
          reason: 'This device rounds wrongly.',
        },
      }),
      /rounds wrongly/,
    ],
    ['runtime.subgroup_matrices', {}, facts(), null],
    ['runtime.subgroup_matrices', {}, facts({ features: [] }), /offers no subgroup matrices/],
    [
      'runtime.subgroup_matrices',
      {},
      facts({ run: { mixed_precision: 'fp16', subgroup_matrices: false, reason: null } }),
      /failed their check/,
    ],
    ['training.learning_rate', {}, facts({ backend: 'cpu' }), null],
  ] as const)('%s with %j on %j', (path, runtime, known, expected) => {
    const said = withoutEffect(path, config(runtime), known);
    if (expected === null) expect(said).toBeNull();
    else expect(said).toMatch(expected);
  });
});
