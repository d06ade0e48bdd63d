/** How the engine runs on machines that lack one thing or another. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { clamped, engineRules, type Machine, processorFeatures } from './features.ts';
import { createMemory } from './memory.ts';
import { ProcessorMemoryFull } from './memory_full.ts';

const DESKTOP: Machine = {
  simd: true,
  relaxedSimd: true,
  sharedMemory: true,
  cores: 8,
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36',
};
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1';
const GIB = 2 ** 30;

describe('the engine on a machine', () => {
  test.each<[string, Partial<Machine>, ReturnType<typeof engineRules>]>([
    ['with everything', {}, { build: 'relaxed_threads', mostThreads: 8, memoryLimit: 4 * GIB }],
    ['without SIMD does not run', { simd: false }, null],
    [
      'without relaxed SIMD multiplies and adds apart',
      { relaxedSimd: false },
      { build: 'plain_threads', mostThreads: 8, memoryLimit: 4 * GIB },
    ],
    [
      'that is not isolated has one thread',
      { sharedMemory: false },
      { build: 'relaxed', mostThreads: 1, memoryLimit: 4 * GIB },
    ],
    [
      'with one processor has one thread',
      { cores: 1 },
      { build: 'relaxed', mostThreads: 1, memoryLimit: 4 * GIB },
    ],
    [
      'with many processors has sixteen threads',
      { cores: 128 },
      { build: 'relaxed_threads', mostThreads: 16, memoryLimit: 4 * GIB },
    ],
    [
      'that is a telephone takes 1 GiB',
      { userAgent: IPHONE, relaxedSimd: false, sharedMemory: false },
      { build: 'plain', mostThreads: 1, memoryLimit: GIB },
    ],
  ])('%s', (_name, change, rules) => {
    expect(engineRules({ ...DESKTOP, ...change })).toEqual(rules);
  });

  test('has at least one thread, whatever the browser reports', () => {
    expect(clamped(NaN, 16)).toBe(1);
    expect(clamped(0, 16)).toBe(1);
    expect(clamped(2.9, 16)).toBe(2);
  });
});

describe('what a browser can do', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  test('is nothing if it validates no module', () => {
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect(processorFeatures()).toMatchObject({ simd: false, relaxedSimd: false });
  });

  test('includes shared memory only in an isolated page', () => {
    vi.stubGlobal('crossOriginIsolated', false);
    expect(processorFeatures().sharedMemory).toBe(false);
    vi.stubGlobal('crossOriginIsolated', true);
    expect(processorFeatures().sharedMemory).toBe(true);
    vi.stubGlobal('SharedArrayBuffer', undefined);
    expect(processorFeatures().sharedMemory).toBe(false);
  });
});

describe('the memory of the engine', () => {
  afterEach(() => vi.restoreAllMocks());

  /** A browser that reserves at most so many bytes. */
  function refuseAbove(bytes: number): void {
    const { Memory } = WebAssembly;
    vi.spyOn(WebAssembly, 'Memory').mockImplementation(function (descriptor) {
      if ((descriptor.maximum ?? 0) * 65_536 > bytes) throw new RangeError('could not allocate');
      return new Memory(descriptor);
    });
  }

  test('may become as large as the rules say', () => {
    expect(createMemory({ shared: false, limit: GIB }).maximum).toBe(GIB);
    expect(createMemory({ shared: false }).maximum).toBe(4 * GIB);
  });

  test('is as large as the browser admits, if it admits less', () => {
    refuseAbove(GIB);
    expect(createMemory({ shared: true }).maximum).toBe(GIB);
  });

  test('is refused in a sentence if the browser admits next to nothing', () => {
    refuseAbove(2 ** 20);
    expect(() => createMemory({ shared: true })).toThrow(ProcessorMemoryFull);
  });
});
