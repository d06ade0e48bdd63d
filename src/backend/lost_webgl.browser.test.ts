/** WebGL whose context the browser takes away: noticed, and opened again. */
import { square } from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { loseDevice, startBackend } from './index.ts';

it('a lost WebGL context is reported as a lost device, and the next start computes again', async () => {
  const lost = vi.fn<(reason: string) => void>();
  await startBackend('webgl', { lost, error: () => undefined });
  const squares = async (): Promise<number[]> => [...(await square([1, 2, 3]).data())];
  expect(await squares()).toEqual([1, 4, 9]);
  loseDevice();
  await vi.waitFor(() => expect(lost).toHaveBeenCalledOnce());
  expect(lost.mock.lastCall?.[0]).toContain('took the WebGL context away');
  await startBackend('webgl', { lost, error: () => undefined });
  expect(await squares()).toEqual([1, 4, 9]);
});
