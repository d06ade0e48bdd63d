/** RMS norm of the query and key heads of a packed qkv, each over its own values; v is copied. */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { fma, splat, sumOf } from './inlined/simd';
import { chunksOf } from './rows';
import { barrier, claim } from './threads';

/** Values of a chunk. */
const CHUNK: i32 = 16384;

let rowCount: i32 = 0;
let queryHeads: i32 = 0;
let keyHeads: i32 = 0;
let headDim: i32 = 0;
let headBytes: usize = 0;
let epsilon: f32 = 0;
let rowsOfChunk: i32 = 0;

/** Reads rows, query heads, key heads, head_dim and epsilon. Returns the number of chunks. */
function readShape(params: usize): i32 {
  rowCount = intAt(params, 0);
  queryHeads = intAt(params, 1);
  keyHeads = intAt(params, 2);
  headDim = intAt(params, 3);
  epsilon = floatAt(params, 4);
  headBytes = (<usize>headDim) << 2;
  rowsOfChunk = max(1, CHUNK / ((queryHeads + 2 * keyHeads) * headDim));
  return chunksOf(rowCount, rowsOfChunk);
}

/** Bytes of a row of qkv. */
function rowBytes(): usize {
  return headBytes * <usize>(queryHeads + 2 * keyHeads);
}

/** y, qkv [rows, width], q_weight and k_weight [head_dim]; `readShape`. */
export function qk_norm(args: usize): void {
  const y = pointerAt(args, 0);
  const qkv = pointerAt(args, 1);
  const queryWeight = pointerAt(args, 2);
  const keyWeight = pointerAt(args, 3);
  const chunks = readShape(args + 16);
  const values = headBytes * <usize>(queryHeads + keyHeads);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rowCount, (chunk + 1) * rowsOfChunk);
    for (let row = chunk * rowsOfChunk; row < end; row++) {
      let at = <usize>row * rowBytes();
      memory.copy(y + at + values, qkv + at + values, headBytes * <usize>keyHeads);
      for (let head = 0; head < queryHeads + keyHeads; head++) {
        normHead(y + at, qkv + at, head < queryHeads ? queryWeight : keyWeight);
        at += headBytes;
      }
    }
  }
}

/** The sum of a b over the values of a head. */
function dotOfHead(a: usize, b: usize): f32 {
  const body = headBytes & ~15;
  let at: usize = 0;
  let sum = splat(0);
  for (; at < body; at += 16) sum = fma(v128.load(a + at), v128.load(b + at), sum);
  let total = sumOf(sum);
  for (; at < headBytes; at += 4) total += load<f32>(a + at) * load<f32>(b + at);
  return total;
}

/** 1 / sqrt(mean(x^2) + epsilon). */
function scaleOfHead(x: usize): f32 {
  return <f32>1 / sqrt<f32>(dotOfHead(x, x) / <f32>headDim + epsilon);
}

function normHead(to: usize, from: usize, weight: usize): void {
  const scale = scaleOfHead(from);
  const four = splat(scale);
  const body = headBytes & ~15;
  let at: usize = 0;
  for (; at < body; at += 16) {
    const x = f32x4.mul(v128.load(from + at), four);
    v128.store(to + at, f32x4.mul(x, v128.load(weight + at)));
  }
  for (; at < headBytes; at += 4)
    store<f32>(to + at, load<f32>(from + at) * scale * load<f32>(weight + at));
}

/** dx, qkv [rows, width], q_weight and k_weight [head_dim], dy [rows, width]; `readShape`. */
export function qk_norm_grad_input(args: usize): void {
  const dx = pointerAt(args, 0);
  const qkv = pointerAt(args, 1);
  const queryWeight = pointerAt(args, 2);
  const keyWeight = pointerAt(args, 3);
  const dy = pointerAt(args, 4);
  const chunks = readShape(args + 20);
  const values = headBytes * <usize>(queryHeads + keyHeads);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rowCount, (chunk + 1) * rowsOfChunk);
    for (let row = chunk * rowsOfChunk; row < end; row++) {
      let at = <usize>row * rowBytes();
      memory.copy(dx + at + values, dy + at + values, headBytes * <usize>keyHeads);
      for (let head = 0; head < queryHeads + keyHeads; head++) {
        const weight = head < queryHeads ? queryWeight : keyWeight;
        gradientOfHead(dx + at, qkv + at, dy + at, weight);
        at += headBytes;
      }
    }
  }
}

/** dx = s (g - x s mean(g x s)) with g = dy weight and s = `scaleOfHead`. */
function gradientOfHead(dx: usize, x: usize, dy: usize, weight: usize): void {
  const body = headBytes & ~15;
  let at: usize = 0;
  // dx holds g until both sums are known.
  for (; at < body; at += 16)
    v128.store(dx + at, f32x4.mul(v128.load(dy + at), v128.load(weight + at)));
  for (; at < headBytes; at += 4) store<f32>(dx + at, load<f32>(dy + at) * load<f32>(weight + at));
  const scale = scaleOfHead(x);
  const mean = (dotOfHead(dx, x) / <f32>headDim) * scale * scale;
  const scales = splat(scale);
  const means = splat(mean);
  for (at = 0; at < body; at += 16) {
    const change = f32x4.sub(v128.load(dx + at), f32x4.mul(v128.load(x + at), means));
    v128.store(dx + at, f32x4.mul(change, scales));
  }
  for (; at < headBytes; at += 4)
    store<f32>(dx + at, scale * (load<f32>(dx + at) - load<f32>(x + at) * mean));
}

/**
 * partials [parts, head_dim], dweight [head_dim], qkv and dy [rows, width]; `readShape`, then the
 * number of parts, the first head, the number of heads, and 1 to add to dweight.
 */
export function qk_norm_grad_weight(args: usize): void {
  const partials = pointerAt(args, 0);
  const dweight = pointerAt(args, 1);
  const qkv = pointerAt(args, 2);
  const dy = pointerAt(args, 3);
  readShape(args + 16);
  const parts = intAt(args, 9);
  const first = intAt(args, 10);
  const count = intAt(args, 11);
  const adds = intAt(args, 12);
  const perPart = chunksOf(rowCount, parts);
  for (let part = claim(); part < parts; part = claim()) {
    const sums = partials + <usize>part * headBytes;
    memory.fill(sums, 0, headBytes);
    const end = min(rowCount, (part + 1) * perPart);
    for (let row = part * perPart; row < end; row++) {
      let at = <usize>row * rowBytes() + <usize>first * headBytes;
      for (let head = 0; head < count; head++) {
        addNormed(sums, qkv + at, dy + at);
        at += headBytes;
      }
    }
  }
  barrier();
  if (claim() == 0) sumParts(dweight, partials, parts, adds);
}

/** sums += dy x s of a head, with s = `scaleOfHead`. */
function addNormed(sums: usize, x: usize, dy: usize): void {
  const scale = scaleOfHead(x);
  const four = splat(scale);
  const body = headBytes & ~15;
  let at: usize = 0;
  for (; at < body; at += 16) {
    const normed = f32x4.mul(v128.load(x + at), four);
    v128.store(sums + at, fma(v128.load(dy + at), normed, v128.load(sums + at)));
  }
  for (; at < headBytes; at += 4) {
    const normed = load<f32>(x + at) * scale;
    store<f32>(sums + at, load<f32>(sums + at) + load<f32>(dy + at) * normed);
  }
}

/** dweight (+)= the sum of the parts, in their order. */
function sumParts(dweight: usize, partials: usize, parts: i32, adds: i32): void {
  for (let at: usize = 0; at < headBytes; at += 4) {
    let sum: f32 = 0;
    for (let part = 0; part < parts; part++)
      sum += load<f32>(partials + <usize>part * headBytes + at);
    store<f32>(dweight + at, adds ? load<f32>(dweight + at) + sum : sum);
  }
}
