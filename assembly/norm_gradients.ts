/**
 * Gradients of LayerNorm and RMSNorm: of x, and of weight and bias as partial sums over blocks of
 * rows, which `norm_gradient_fold` adds up in order. With h = (x - mean) rstd and t = dy weight, the
 * gradient of a row of x is rstd (t - mean(t) - h mean(t h)); RMSNorm has no mean(t).
 */
import { intAt, pointerAt } from './inlined/args';
import { fma, splat, sumOf } from './inlined/simd';
import { chunksOf, rowsOfChunk } from './rows';
import { claim } from './threads';

/** The arguments of the kernel in progress, by `readArguments`. */
let dx: usize = 0;
let x: usize = 0;
let weight: usize = 0;
let rstds: usize = 0;
let dy: usize = 0;
/** 0 for RMSNorm. */
let means: usize = 0;
let n: i32 = 0;
let d: i32 = 0;
let adds: bool = false;

/** Sums over a row of t and of t h. */
let sumOfT: f32 = 0;
let sumOfTH: f32 = 0;

/** dx [n, d]; x [n, d], weight [d], rstd [n], dy [n, d], mean [n] or absent; n, d, adds. */
function readArguments(args: usize): void {
  dx = pointerAt(args, 0);
  x = pointerAt(args, 1);
  weight = pointerAt(args, 2);
  rstds = pointerAt(args, 3);
  dy = pointerAt(args, 4);
  means = pointerAt(args, 5);
  n = intAt(args, 6);
  d = intAt(args, 7);
  adds = intAt(args, 8) != 0;
}

/** The gradient of x alone. Arguments: those of `readArguments`; if `adds`, it is added to dx. */
export function norm_gradient_x(args: usize): void {
  readArguments(args);
  const rows = rowsOfChunk(d);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      sumRow(row);
      writeRow(row);
    }
  }
}

/**
 * All gradients. Arguments: parts [blocks, 2, d], those of `readArguments`, rows of a block. A
 * block's parts are the sums of dy h and of dy over its rows.
 */
export function norm_gradients(args: usize): void {
  readArguments(args + 4);
  const rows = intAt(args, 10);
  const chunks = chunksOf(n, rows);
  const width = (<usize>d) << 2;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const part = pointerAt(args, 0) + ((<usize>chunk) << 1) * width;
    memory.fill(part, 0, width << 1);
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      sumRowAndColumns(row, part);
      writeRow(row);
    }
  }
}

/** The mean of a row; 0 for RMSNorm. */
function meanOf(row: i32): f32 {
  return means != 0 ? load<f32>(means + ((<usize>row) << 2)) : 0;
}

function rstdOf(row: i32): f32 {
  return load<f32>(rstds + ((<usize>row) << 2));
}

/** Sets `sumOfT` and `sumOfTH` to the sums over a row. */
function sumRow(row: i32): void {
  const width = (<usize>d) << 2;
  const from = x + <usize>row * width;
  const dyRow = dy + <usize>row * width;
  const scale = weight;
  const mean = meanOf(row);
  const rstd = rstdOf(row);
  let sums = splat(0);
  let products = splat(0);
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    const h = f32x4.mul(f32x4.sub(v128.load(from + at), splat(mean)), splat(rstd));
    const t = f32x4.mul(v128.load(dyRow + at), v128.load(scale + at));
    sums = f32x4.add(sums, t);
    products = fma(t, h, products);
  }
  let sum = sumOf(sums);
  let product = sumOf(products);
  for (; at < width; at += 4) {
    const h = (load<f32>(from + at) - mean) * rstd;
    const t = load<f32>(dyRow + at) * load<f32>(scale + at);
    sum += t;
    product += t * h;
  }
  sumOfT = sum;
  sumOfTH = product;
}

/** `sumRow`; also adds dy h and dy to the block's parts. */
function sumRowAndColumns(row: i32, part: usize): void {
  const width = (<usize>d) << 2;
  const from = x + <usize>row * width;
  const dyRow = dy + <usize>row * width;
  const biasPart = part + width;
  const scale = weight;
  const mean = meanOf(row);
  const rstd = rstdOf(row);
  let sums = splat(0);
  let products = splat(0);
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    const g = v128.load(dyRow + at);
    const h = f32x4.mul(f32x4.sub(v128.load(from + at), splat(mean)), splat(rstd));
    const t = f32x4.mul(g, v128.load(scale + at));
    sums = f32x4.add(sums, t);
    products = fma(t, h, products);
    v128.store(part + at, fma(g, h, v128.load(part + at)));
    v128.store(biasPart + at, f32x4.add(g, v128.load(biasPart + at)));
  }
  let sum = sumOf(sums);
  let product = sumOf(products);
  for (; at < width; at += 4) {
    const g = load<f32>(dyRow + at);
    const h = (load<f32>(from + at) - mean) * rstd;
    const t = g * load<f32>(scale + at);
    sum += t;
    product += t * h;
    store<f32>(part + at, load<f32>(part + at) + g * h);
    store<f32>(biasPart + at, load<f32>(biasPart + at) + g);
  }
  sumOfT = sum;
  sumOfTH = product;
}

/** Writes a row of dx, or adds it. */
function writeRow(row: i32): void {
  const width = (<usize>d) << 2;
  const to = dx + <usize>row * width;
  const from = x + <usize>row * width;
  const dyRow = dy + <usize>row * width;
  const scale = weight;
  const mean = meanOf(row);
  const rstd = rstdOf(row);
  const meanOfT: f32 = means != 0 ? sumOfT / <f32>d : 0;
  const meanOfTH = sumOfTH / <f32>d;
  const add = adds;
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    const h = f32x4.mul(f32x4.sub(v128.load(from + at), splat(mean)), splat(rstd));
    const t = f32x4.mul(v128.load(dyRow + at), v128.load(scale + at));
    const rest = fma(h, splat(-meanOfTH), f32x4.sub(t, splat(meanOfT)));
    const before = add ? v128.load(to + at) : splat(0);
    v128.store(to + at, fma(rest, splat(rstd), before));
  }
  for (; at < width; at += 4) {
    const h = (load<f32>(from + at) - mean) * rstd;
    const t = load<f32>(dyRow + at) * load<f32>(scale + at);
    const before: f32 = add ? load<f32>(to + at) : 0;
    store<f32>(to + at, before + (t - meanOfT - h * meanOfTH) * rstd);
  }
}

/** Columns of a chunk of the fold. */
const FOLD_COLUMNS: i32 = 64;

/**
 * sums [d]; parts [blocks, 2, d]; blocks, d, which of the two parts, whether it is added to sums.
 */
export function norm_gradient_fold(args: usize): void {
  const sums = pointerAt(args, 0);
  const blocks = intAt(args, 2);
  const width = (<usize>intAt(args, 3)) << 2;
  const parts = pointerAt(args, 1) + <usize>intAt(args, 4) * width;
  const add = intAt(args, 5) != 0;
  const chunks = chunksOf(intAt(args, 3), FOLD_COLUMNS);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(width, (<usize>(chunk + 1) * FOLD_COLUMNS) << 2);
    let at = (<usize>chunk * FOLD_COLUMNS) << 2;
    for (; at + 16 <= end; at += 16) {
      let sum = add ? v128.load(sums + at) : splat(0);
      let part = parts + at;
      for (let block = 0; block < blocks; block++) {
        sum = f32x4.add(sum, v128.load(part));
        part += width << 1;
      }
      v128.store(sums + at, sum);
    }
    for (; at < end; at += 4) {
      let sum: f32 = add ? load<f32>(sums + at) : 0;
      let part = parts + at;
      for (let block = 0; block < blocks; block++) {
        sum += load<f32>(part);
        part += width << 1;
      }
      store<f32>(sums + at, sum);
    }
  }
}
