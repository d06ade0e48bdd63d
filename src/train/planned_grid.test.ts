/** The plan of one device against what runs hold in the engine on the processor. */
import { expect, it } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import {
  compare,
  type Compared,
  largestError,
  pointsOf,
  TOLERANCE,
  worstText,
} from './testing_grid.ts';

const POINTS = pointsOf('no');

it(`plans ${POINTS.length} configurations within 10 per cent of what they hold`, async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
  const rows: Compared[] = [];
  for (const point of POINTS) rows.push(await compare(point));
  console.log(`The worst of ${rows.length} on the engine:\n${worstText(rows)}`);
  expect(rows.filter((row) => !(largestError(row) < TOLERANCE))).toEqual([]);
}, 120_000);
