/** How fast this backend multiplies matrices at best: what a step's FLOPs are a share of. */
import { slice, type Tensor } from '@tensorflow/tfjs-core';
import { compileProgram, readback, Store, submit } from '../src/backend/index.ts';
import { matmul, run } from '../src/ops/index.ts';
import { mulberry } from './configs.ts';

export interface Peak { tflops: number; size: number }

const CHAIN = 8;

/**
 * Products [n, n] x [n, n] for n = 256, 512, ... up to `largest`, a chain of them in one submit, until one takes so long that a
 * larger one would teach nothing; the best rate of all.
 */
export async function measurePeak(largest: number): Promise<Peak> {
  let best: Peak = { tflops: 0, size: 0 };
  for (let size = Math.min(256, largest); size <= largest; size *= 2) {
    const ms = await productMs(size), tflops = (2 * size ** 3) / ms / 1e9;
    if (tflops > best.tflops) best = { tflops, size };
    if (ms > 50) break;
  }
  return best;
}

/** Milliseconds of one product, from a submit of enough of them to take a tenth of a second. */
async function productMs(n: number): Promise<number> {
  const next = mulberry(n), values = new Float32Array(n * n).map(() => (next() - 0.5) * Math.sqrt(12 / n));
  const store = new Store('peak', [{ name: 'a', shape: [n, n] }, { name: 'b', shape: [n, n] }]);
  store.write('a', values);
  store.write('b', values);
  const program = await compileProgram('peak', () => {
    let x: Tensor = store.get('a');
    for (let i = 0; i < CHAIN; i++) x = run(matmul, { a: x, b: store.get('b') }, { transpose_a: false, transpose_b: false }).c;
    return { corner: slice(x, [0, 0], [1, 1]) };
  });
  const time = async (times: number): Promise<number> => {
    const begin = performance.now();
    submit(Array.from({ length: times }, () => program));
    await readback([program.outputs.corner]);
    return performance.now() - begin;
  };
  const first = await time(1), warm = Math.min(first, await time(1)), times = Math.max(1, Math.min(512, Math.ceil(100 / warm)));
  const ms = Math.min(await time(times), await time(times)) / times / CHAIN;
  program.dispose();
  store.dispose();
  return ms;
}
