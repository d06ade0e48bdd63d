/** What finite differences cannot check: masked tokens without a finite log-probability. */
import { dispose, tensor } from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { readback } from '../../backend/index.ts';
import { run } from '../define.ts';
import { sequenceLogps } from './sequence_logps.ts';
import { startTested } from '../../testing/start_once.ts';

it.each(['cpu', 'wasm', 'webgl', 'webgpu'] as const)(
  'ignores infinite log-probabilities of masked tokens on %s',
  async (backend) => {
    await startTested(backend);
    const logps = tensor([-Infinity, -1, -2, -3, -4, -Infinity]);
    const weights = tensor([0, 1, 1, 1, 0.5, 0]);
    const { sums, counts } = run(sequenceLogps, { logps, weights }, { B: 2, T: 3 });
    const [gotSums = [], gotCounts = []] = await readback([sums, counts]);
    expect([...gotSums]).toEqual([-3, -5]);
    expect([...gotCounts]).toEqual([2, 1.5]);
    dispose([logps, weights, sums, counts]);
  },
);
