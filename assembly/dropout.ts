/** Dropout with a mask that is a function of seed, step, site, row and column (src/ops/dropout). */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { keptLanes, siteState, stir } from './inlined/random';
import { splat } from './inlined/simd';
import { chunksOf, rowsOfChunk } from './rows';
import { claim } from './threads';

/**
 * y [n, d] = dropout(x) + residual; x [n, d], rng [4] (seed, step, row offset in sequences),
 * residual [n, d] or absent; n, d, site, rows of a sequence, threshold of the random bits, scale of
 * the kept values.
 */
export function dropout(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const rng = pointerAt(args, 2);
  const residual = pointerAt(args, 3);
  const n = intAt(args, 4);
  const d = intAt(args, 5);
  const site = siteState(intAt(rng, 0), intAt(rng, 1), intAt(args, 6));
  const firstRow = intAt(rng, 2) * intAt(args, 7);
  const threshold = intAt(args, 8);
  const scale = splat(floatAt(args, 9));
  const width = (<usize>d) << 2;
  const rows = rowsOfChunk(d);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const state = stir(site, firstRow + row);
      const begin = <usize>row * width;
      const to = y + begin;
      const from = x + begin;
      const more = residual != 0 ? residual + begin : 0;
      let column = 0;
      let at: usize = 0;
      for (; at + 16 <= width; at += 16) {
        const value = f32x4.mul(v128.load(from + at), scale);
        const kept = v128.and(value, keptLanes(state, column, threshold));
        v128.store(to + at, more != 0 ? f32x4.add(kept, v128.load(more + at)) : kept);
        column += 4;
      }
      for (; at < width; at += 4) {
        const value = f32x4.mul(v128.load32_zero(from + at), scale);
        let kept = v128.and(value, keptLanes(state, column, threshold));
        if (more != 0) kept = f32x4.add(kept, v128.load32_zero(more + at));
        v128.store_lane<f32>(to + at, kept, 0);
        column++;
      }
    }
  }
}
