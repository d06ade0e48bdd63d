/**
 * Gated linear units: y [n, f] = activation(gate) * up, where a row of gate_up [n, 2 f] is the gate
 * and then up. The activation is SiLU or, if `squaredRelu`, the squared ReLU.
 */
import { relu2DerivativeOf4, relu2Of4, silu4, siluSigmoid4 } from './inlined/activations';
import { intAt, pointerAt } from './inlined/args';
import { fma, splat } from './inlined/simd';
import { chunksOf, rowsOfChunk } from './rows';
import { claim } from './threads';

/** y [n, f]; gate_up [n, 2 f]; n, f, squaredRelu. */
export function glu(args: usize): void {
  const y = pointerAt(args, 0);
  const gateUp = pointerAt(args, 1);
  const n = intAt(args, 2);
  const f = intAt(args, 3);
  const squaredRelu = intAt(args, 4) != 0;
  const width = (<usize>f) << 2;
  const rows = rowsOfChunk(f);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const gate = gateUp + ((<usize>row) << 1) * width;
      const to = y + <usize>row * width;
      if (squaredRelu) squaredReluRow(to, gate, width);
      else swigluRow(to, gate, width);
    }
  }
}

function squaredReluRow(to: usize, gate: usize, width: usize): void {
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    const value = relu2Of4(v128.load(gate + at));
    v128.store(to + at, f32x4.mul(value, v128.load(gate + width + at)));
  }
  for (; at < width; at += 4) {
    const value = relu2Of4(v128.load32_zero(gate + at));
    const up = v128.load32_zero(gate + width + at);
    v128.store_lane<f32>(to + at, f32x4.mul(value, up), 0);
  }
}

function swigluRow(to: usize, gate: usize, width: usize): void {
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    const value = silu4(v128.load(gate + at));
    v128.store(to + at, f32x4.mul(value, v128.load(gate + width + at)));
  }
  for (; at < width; at += 4) {
    const value = silu4(v128.load32_zero(gate + at));
    const up = v128.load32_zero(gate + width + at);
    v128.store_lane<f32>(to + at, f32x4.mul(value, up), 0);
  }
}

/** dx [n, 2 f]; gate_up [n, 2 f], dy [n, f]; n, f, squaredRelu. */
export function glu_gradient(args: usize): void {
  const dx = pointerAt(args, 0);
  const gateUp = pointerAt(args, 1);
  const dy = pointerAt(args, 2);
  const n = intAt(args, 3);
  const f = intAt(args, 4);
  const squaredRelu = intAt(args, 5) != 0;
  const width = (<usize>f) << 2;
  const rows = rowsOfChunk(f);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const begin = ((<usize>row) << 1) * width;
      const dyRow = dy + <usize>row * width;
      if (squaredRelu) squaredReluGradient(dx + begin, gateUp + begin, dyRow, width);
      else swigluGradient(dx + begin, gateUp + begin, dyRow, width);
    }
  }
}

function squaredReluGradient(dx: usize, gate: usize, dy: usize, width: usize): void {
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    const u = v128.load(gate + at);
    const g = v128.load(dy + at);
    const slope = f32x4.mul(v128.load(gate + width + at), relu2DerivativeOf4(u));
    v128.store(dx + at, f32x4.mul(g, slope));
    v128.store(dx + width + at, f32x4.mul(g, relu2Of4(u)));
  }
  for (; at < width; at += 4) {
    const u = v128.load32_zero(gate + at);
    const g = v128.load32_zero(dy + at);
    const slope = f32x4.mul(v128.load32_zero(gate + width + at), relu2DerivativeOf4(u));
    v128.store_lane<f32>(dx + at, f32x4.mul(g, slope), 0);
    v128.store_lane<f32>(dx + width + at, f32x4.mul(g, relu2Of4(u)), 0);
  }
}

/** silu'(u) = s + u s (1 - s), with s = sigmoid(u), so that both gradients need one exponential. */
function swigluGradient(dx: usize, gate: usize, dy: usize, width: usize): void {
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    const u = v128.load(gate + at);
    const g = v128.load(dy + at);
    const s = siluSigmoid4(u);
    const value = f32x4.mul(u, s);
    const derivative = fma(value, f32x4.sub(splat(1), s), s);
    const slope = f32x4.mul(v128.load(gate + width + at), derivative);
    v128.store(dx + at, f32x4.mul(g, slope));
    v128.store(dx + width + at, f32x4.mul(g, value));
  }
  for (; at < width; at += 4) {
    const u = v128.load32_zero(gate + at);
    const g = v128.load32_zero(dy + at);
    const s = siluSigmoid4(u);
    const value = f32x4.mul(u, s);
    const derivative = fma(value, f32x4.sub(splat(1), s), s);
    const slope = f32x4.mul(v128.load32_zero(gate + width + at), derivative);
    v128.store_lane<f32>(dx + at, f32x4.mul(g, slope), 0);
    v128.store_lane<f32>(dx + width + at, f32x4.mul(g, value), 0);
  }
}
