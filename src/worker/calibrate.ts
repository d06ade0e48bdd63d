/** What this device does in a second, roughly: the presets' times are estimated from it. */
import { type Tensor, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { readback } from '../backend/index.ts';
import { matmul, run } from '../ops/index.ts';

export interface Calibration {
  flops_per_second: number;
  step_overhead_ms: number;
}

/**
 * Products of growing size until one takes long enough to be timed; then a chain of small
 * operations for the overhead. Null where cancelled.
 */
export async function calibrate(
  cancelled: () => boolean = () => false,
): Promise<Calibration | null> {
  let flops_per_second = 0;
  for (let n = 128; n <= 1024; n *= 2) {
    await product(n, 1);
    const begin = performance.now();
    await product(n, 4);
    const seconds = (performance.now() - begin) / 1000;
    flops_per_second = Math.max(flops_per_second, (4 * 2 * n ** 3) / seconds);
    if (cancelled()) return null;
    if (seconds > 0.1) break;
  }
  const begin = performance.now();
  for (let i = 0; i < 5; i++) {
    if (cancelled()) return null;
    await product(4, 20);
  }
  return { flops_per_second, step_overhead_ms: (performance.now() - begin) / 5 };
}

async function product(n: number, times: number): Promise<void> {
  const result = tidy(() => {
    const values = new Float32Array(n * n).fill(1 / n);
    const b = tensor2d(values, [n, n]);
    let a: Tensor = tensor2d(values, [n, n]);
    for (let i = 0; i < times; i++)
      a = run(matmul, { a, b }, { transpose_a: false, transpose_b: false }).c;
    return a;
  });
  await readback([result]);
  result.dispose();
}
