import { expect, it, vi } from 'vitest';
import { remembered } from './remembered.ts';

it('generates a source once for equal arguments, and again for others', () => {
  const generate = vi.fn(
    (tile: { BM: number; lanes?: number }, float16: ReadonlySet<string>) =>
      `${tile.BM} ${tile.lanes ?? 'all'} ${[...float16].join('+')}`,
  );
  const source = remembered(generate);
  const calls = [
    source({ BM: 64 }, new Set(['A', 'B'])),
    source({ BM: 64 }, new Set(['A', 'B'])),
    source({ BM: 64 }, new Set(['A'])),
    source({ BM: 64, lanes: 8 }, new Set(['A'])),
    source({ BM: 32 }, new Set()),
    source({ BM: 64 }, new Set(['A'])),
  ];
  expect(calls).toEqual(['64 all A+B', '64 all A+B', '64 all A', '64 8 A', '32 all ', '64 all A']);
  expect(generate).toHaveBeenCalledTimes(4);
});
