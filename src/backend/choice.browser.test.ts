/** Which backend is chosen where GPUs run in software, and what is said about it. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isMissingPart } from '../common/index.ts';
import { onProcessor, startBackend, tryBackends } from './index.ts';

const events = { lost: () => undefined, error: () => undefined };

afterEach(() => vi.restoreAllMocks());

// These two come first: an engine that has started is kept, and nothing is asked or downloaded again.
it('an engine that cannot be downloaded is named, and no slower code replaces it', async () => {
  vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('The network is gone.'));
  const error = await tryBackends('wasm', events).catch((caught: unknown) => caught);
  if (!(error instanceof Error)) throw new Error('The engine started without its code.');
  expect(error.message).toBe('The code for the processor (WebAssembly) could not be downloaded.');
  expect(isMissingPart(error.cause)).toBe(true);
});

it('the processor computes by TensorFlow.js where the browser has no SIMD, and says so', async () => {
  vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
  const { backend, reason, adapter } = await tryBackends('wasm', events);
  expect(backend).toBe('wasm');
  expect(onProcessor()).toBe(false);
  expect(adapter).toBe('CPU, TensorFlow.js by WebAssembly');
  expect(reason).toBe(
    "This browser's WebAssembly has no SIMD, which fast training on it needs. " +
      'So TensorFlow.js computes on the processor (WebAssembly), more slowly.',
  );
});

describe('the automatic choice', () => {
  it('takes the engine on the processor where GPUs run in software, and says why', async () => {
    const chosen = await tryBackends('auto', events);
    const isEngine = onProcessor();
    const { adapter } = await startBackend('webgpu');
    if (/swiftshader|llvmpipe/iu.test(adapter)) {
      expect(chosen.backend).toBe('wasm');
      expect(isEngine).toBe(true);
      expect(chosen.reason).toMatch(/^WebGPU runs on the processor here \(.+\), slower than/u);
      expect(chosen.reason).toMatch(
        /So the processor \(WebAssembly\) is used, which is usually faster/u,
      );
    } else {
      expect(chosen.backend).toBe('webgpu');
    }
    expect((await tryBackends('webgpu', events)).backend).toBe('webgpu');
  });
});

describe('the processor', () => {
  it('says how many threads it has, and which instructions', async () => {
    const { adapter, features, reason } = await tryBackends('wasm', events);
    expect(adapter).toMatch(/^CPU, \d+ threads?, (relaxed )?SIMD$/u);
    expect(features[0]).toMatch(/SIMD/u);
    expect(reason).toBe(
      'The processor (WebAssembly) was asked for, and its gradient check passed.',
    );
    expect(onProcessor()).toBe(true);
  });
});
