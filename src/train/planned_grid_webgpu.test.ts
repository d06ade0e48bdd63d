/**
 * The plan of one device against the buffers that runs create on WebGPU. The device counts them and
 * executes nothing; programs are traced and planned as on a GPU.
 */
import { expect, it } from 'vitest';
import { startWebGpu } from '../backend/start_webgpu.ts';
import { useCountingGpu } from '../testing/counting_gpu.ts';
import {
  compare,
  type Compared,
  largestError,
  pointsOf,
  TOLERANCE,
  worstText,
} from './testing_grid.ts';

const POINTS = [...pointsOf('no'), ...pointsOf('fp16')];

it(`plans ${POINTS.length} configurations within 10 per cent of what they create`, async () => {
  useCountingGpu();
  await startWebGpu({ lost: () => undefined, error: () => undefined }, 'allowed');
  const rows: Compared[] = [];
  for (const point of POINTS) rows.push(await compare(point));
  console.log(`The worst of ${rows.length} on WebGPU:\n${worstText(rows)}`);
  expect(rows.filter((row) => !(largestError(row) < TOLERANCE))).toEqual([]);
}, 120_000);
