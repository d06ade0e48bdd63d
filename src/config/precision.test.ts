import { describe, expect, it } from 'vitest';
import {
  defaultConfig,
  optionUnavailable,
  type PrecisionFacts,
  type RunConfig,
  withoutEffect,
} from './index.ts';

const config = (runtime: Partial<RunConfig['runtime']> = {}): RunConfig => ({
  ...defaultConfig(),
  training: { ...defaultConfig().training, mixed_precision: 'fp16' },
  runtime: { ...defaultConfig().runtime, ...runtime },
});
const facts = (changes: Partial<PrecisionFacts> = {}): PrecisionFacts => ({
  backend: 'webgpu',
  features: ['chromium-experimental-subgroup-matrix'],
  run: null,
  ...changes,
});
const roundsWrongly = {
  mixed_precision: 'no',
  subgroup_matrices: false,
  reason: 'This device rounds wrongly.',
};
const withoutMatrices = { mixed_precision: 'fp16', subgroup_matrices: false, reason: null };

describe('withoutEffect', () => {
  it.each([
    ['training.mixed_precision', {}, facts(), null],
    ['training.mixed_precision', {}, facts({ backend: undefined }), null],
    ['training.mixed_precision', {}, facts({ backend: 'webgl' }), /needs WebGPU/],
    ['training.mixed_precision', { backend: 'wasm' }, facts(), /needs WebGPU/],
    ['training.mixed_precision', { backend: 'webgpu' }, facts({ backend: 'wasm' }), null],
    ['training.mixed_precision', {}, facts({ run: roundsWrongly }), /rounds wrongly/],
    ['runtime.subgroup_matrices', {}, facts(), null],
    ['runtime.subgroup_matrices', {}, facts({ features: [] }), /offers no subgroup matrices/],
    ['runtime.subgroup_matrices', {}, facts({ run: withoutMatrices }), /failed their check/],
    ['training.learning_rate', {}, facts({ backend: 'cpu' }), null],
  ] as const)('of %s, with runtime %j and %j', (path, runtime, known, expected) => {
    const reason = withoutEffect(path, config(runtime), known);
    if (expected === null) expect(reason).toBeNull();
    else expect(reason).toMatch(expected);
  });
});

describe('optionUnavailable', () => {
  it('says which layout an activation belongs to', () => {
    const gpt2 = defaultConfig();
    expect(optionUnavailable('model.activation_function', 'silu', gpt2)).toBe('only in Llama');
    expect(optionUnavailable('model.activation_function', 'relu2', gpt2)).toBeNull();
    expect(optionUnavailable('training.optimizer', 'silu', gpt2)).toBeNull();
  });
});
