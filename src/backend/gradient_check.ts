/** A small gradient that a backend must compute correctly before it is used. */
import { matMul, mul, sub, tanh, type Tensor, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { dispatch, output } from './dispatch.ts';
import { readback } from './readback.ts';
import { runOnProcessor } from './processor_dispatch.ts';
import { onProcessor, onWebGpu } from './state.ts';

const FORWARD = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
  y[i] = tanh(x[2u * (i / 2u)] * w[i % 2u] + x[2u * (i / 2u) + 1u] * w[2u + i % 2u]);
}`;
const BACKWARD = `
@group(0) @binding(0) var<storage, read_write> dw: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
  let j = i % 2u;
  dw[i] = x[i / 2u] * (1 - y[j] * y[j]) + x[2u + i / 2u] * (1 - y[2u + j] * y[2u + j]);
}`;

/** x and w, both [2, 2]. */
const X = [0.5, -1, 0.25, 2] as const;
const W = [0.1, -0.3, 0.7, 0.2] as const;

/**
 * Relative error of d/dw sum(tanh(x w)) on the current backend, against float64. Some phones' GPUs
 * give zero gradients.
 */
export async function gradientError(): Promise<number> {
  const gradient = tidy(() => {
    const x = tensor2d([...X], [2, 2]);
    const w = tensor2d([...W], [2, 2]);
    if (onProcessor()) return gradientOnProcessor(x, w);
    return onWebGpu() ? gradientByKernels(x, w) : gradientByTfjs(x, w);
  });
  const [actual = new Float32Array()] = await readback([gradient]);
  gradient.dispose();
  const expected = expectedGradient();
  const largest = Math.max(...expected.map(Math.abs));
  const errors = expected.map((value, i) => Math.abs((actual[i] ?? NaN) - value));
  return Math.max(...errors) / largest;
}

function expectedGradient(): number[] {
  const y = (row: number, column: 0 | 1): number =>
    Math.tanh((X[2 * row] ?? 0) * W[column] + (X[2 * row + 1] ?? 0) * (W[2 + column] ?? 0));
  const gradient = [0, 0, 0, 0];
  for (const row of [0, 1])
    for (const column of [0, 1] as const)
      for (const k of [0, 1]) {
        const dy = 1 - y(row, column) ** 2;
        gradient[2 * k + column] = (gradient[2 * k + column] ?? 0) + (X[2 * row + k] ?? 0) * dy;
      }
  return gradient;
}

/** By our own kernels, which are what trains on WebGPU: tfjs's may not be loaded. */
function gradientByKernels(x: Tensor, w: Tensor): Tensor {
  const y = output([2, 2]);
  const dw = output([2, 2]);
  const workgroups = [1, 1, 1] as const;
  dispatch({ name: 'check_forward', code: FORWARD, writes: [y], reads: [x, w], workgroups });
  dispatch({ name: 'check_backward', code: BACKWARD, writes: [dw], reads: [x, y], workgroups });
  return dw;
}

/** By the engine's own kernels, which are what trains on the processor. */
function gradientOnProcessor(x: Tensor, w: Tensor): Tensor {
  const y = output([2, 2]);
  const dw = output([2, 2]);
  runOnProcessor({ kernel: 'check_forward', writes: [y], reads: [x, w] });
  runOnProcessor({ kernel: 'check_backward', writes: [dw], reads: [x, y] });
  return dw;
}

function gradientByTfjs(x: Tensor, w: Tensor): Tensor {
  const y = tanh(matMul(x, w));
  return matMul(x, sub(1, mul(y, y)), true, false);
}
