import { expect, it } from 'vitest';
import { parseStage } from '../config/stage/index.ts';
import { savedStage } from '../config/stage/saved.ts';
import { settleFrozenDtype } from './frozen_dtype.ts';

const asked = parseStage({ peft: { peft_type: 'lora', dtype: 'float16' } });

it('keeps frozen weights in float16 where the device can, and nothing without LoRA', () => {
  expect(settleFrozenDtype(asked, { backend: 'webgpu', float16_unsupported: null })).toEqual({
    dtype: 'float16',
    reason: null,
  });
  expect(settleFrozenDtype(asked, {})).toEqual({ dtype: 'float16', reason: null });
  const whole = parseStage({ peft: { dtype: 'float16' } });
  expect(settleFrozenDtype(whole, { backend: 'webgpu' }).dtype).toBe('float32');
});

it('says in one sentence why it keeps them in float32', () => {
  const onEngine = settleFrozenDtype(asked, { backend: 'wasm' });
  expect(onEngine.dtype).toBe('float32');
  expect(onEngine.reason).toMatch(/^Frozen weights in float16 need WebGPU, so .+\.$/);
  const failed = settleFrozenDtype(asked, { backend: 'webgpu', float16_unsupported: 'It rounds.' });
  expect(failed.dtype).toBe('float32');
  expect(failed.reason).toMatch(/^This device did not pass the check of float16, so .+\.$/);
});

it('is written to files only if it is not the default, for earlier versions of the page', () => {
  expect(savedStage(asked).peft).toMatchObject({ dtype: 'float16' });
  const usual = parseStage({ peft: { peft_type: 'lora' } });
  expect(savedStage(usual).peft).not.toHaveProperty('dtype');
  for (const stage of [asked, usual]) expect(parseStage(savedStage(stage))).toEqual(stage);
});
