/**
 * Every tile on one device: `pickTile` gives the small one here. Against the float64 oracle,
 * dropout included, over edges of tiles.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readback, startBackend } from '../../backend/index.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { caseRandom } from '../../testing/random.ts';
import { toTensors } from '../../testing/check.ts';
import { columns } from '../heads/layout.ts';
import { attentionGradKernel } from './backward.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionKernel } from './forward.ts';
import { attentionGradOracle, attentionOracle, keepAll } from './oracle.ts';
import { LARGE, SMALL, type Tile } from './tiles.ts';

// Software takes minutes to compile what has both: the bench checks those on a GPU.
const TILES: Record<string, Tile> = {
  small: SMALL,
  '16 threads a row': { ...LARGE, unroll: 1 },
  'loops written out': { ...SMALL, unroll: 8 },
};
const SHAPES: Record<string, AttentionAttrs> = {
  'two tiles, grouped heads': { B: 2, T: 70, n_head: 2, n_kv_head: 1, head_dim: 8, window: 0 },
  'a window over tiles': { B: 1, T: 70, n_head: 1, n_kv_head: 1, head_dim: 4, window: 20 },
  'head_dim of 64': { B: 1, T: 66, n_head: 2, n_kv_head: 2, head_dim: 64, window: 0 },
  'head_dim of 37': { B: 1, T: 33, n_head: 1, n_kv_head: 1, head_dim: 37, window: 0 },
};
const errors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', {
    lost: (reason) => errors.push(reason),
    error: (message) => errors.push(message),
  });
});
afterAll(() => {
  expect(errors).toEqual([]);
});

describe.each(Object.entries(TILES))('tile %s', (_name, tile) => {
  // What is written out takes long to compile in software: the shapes with windows and whole chunks
  // are enough.
  it.each(Object.entries(SHAPES).filter(([name]) => tile.unroll === 1 || /window|64/u.test(name)))(
    '%s',
    async (name, a) => {
      const random = caseRandom(3);
      const qkv = random.normal([a.B * a.T, columns(a).width]);
      const dy = random.normal([a.B * a.T, columns(a).q]);
      const y = attentionOracle(qkv, a, keepAll);
      const { dqkv } = attentionGradOracle({ qkv, ...y, dy }, a, keepAll);
      const inputs = toTensors(['qkv', 'dy', 'y', 'lse'], { qkv, dy, ...y });
      const made = attentionKernel(inputs.qkv, a, undefined, tile);
      const gradient = attentionGradKernel(inputs, a, undefined, tile);
      const [gotY, gotLse, gotD] = await readback([made.y, made.lse, gradient.dqkv]);
      expectClose(gotY ?? [], y.y.data, { atol: 1e-5, rtol: 1e-4 }, `${name}: y`);
      expectClose(gotLse ?? [], y.lse.data, { atol: 1e-5, rtol: 1e-4 }, `${name}: lse`);
      expectClose(gotD ?? [], dqkv.data, { atol: 1e-4, rtol: 1e-3 }, `${name}: dqkv`);
      for (const t of [...Object.values(inputs), made.y, made.lse, gradient.dqkv]) t.dispose();
    },
  );
});
