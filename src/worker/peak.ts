/** How fast this backend multiplies matrices at best: what a step's FLOPs are a share of. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  hasOwnKernels,
  readback,
  Store,
  submit,
  timeOnWall,
} from '../backend/index.ts';
import { matmul, run } from '../ops/index.ts';

export interface Peak {
  tflops: number;
  size: number;
}

const CHAIN = 8;

/**
 * Products [n, n] x [n, n] for n = 256, 512, ... up to `largest`, a chain of them in one submit,
 * until one takes so long that a larger one would teach nothing; the best rate of all.
 */
export async function measurePeak(largest: number): Promise<Peak> {
  let best: Peak = { tflops: 0, size: 0 };
  for (let size = Math.min(256, largest); size <= largest; size *= 2) {
    const ms = await productMs(size);
    const tflops = (2 * size ** 3) / ms / 1e9;
    if (tflops > best.tflops) best = { tflops, size };
    if (ms > 20) break;
  }
  return best;
}

/** Milliseconds of one product, from enough of them to take a tenth of a second. */
async function productMs(n: number): Promise<number> {
  // Of variance 1/n, so that a chain of products stays in range.
  const values = new Float32Array(n * n).map(
    (_, i) => (scattered(i + n) - 0.5) * Math.sqrt(12 / n),
  );
  const store = new Store('peak', [
    { name: 'a', shape: [n, n] },
    { name: 'b', shape: [n, n] },
  ]);
  store.write('a', values);
  store.write('b', values);
  const program = await compileProgram('peak', () => {
    let x: Tensor = store.get('a');
    for (let i = 0; i < CHAIN; i++)
      x = run(matmul, { a: x, b: store.get('b') }, { transpose_a: false, transpose_b: false }).c;
    return { x };
  });
  const time = async (times: number): Promise<number> => {
    if (hasOwnKernels()) return timeOnWall([program], times);
    const begin = performance.now();
    for (let i = 0; i < times; i++) submit([program]);
    await readback([program.outputs.x]);
    return (performance.now() - begin) / times;
  };
  const first = await time(1);
  const warm = Math.min(first, await time(1));
  const times = Math.max(1, Math.min(512, Math.ceil(100 / warm)));
  const ms = Math.min(await time(times), await time(times)) / CHAIN;
  program.dispose();
  store.dispose();
  return ms;
}

/** A number in [0, 1) that looks drawn at random: a hash of i (the finisher of MurmurHash3). */
function scattered(i: number): number {
  let h = Math.imul(i ^ (i >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
