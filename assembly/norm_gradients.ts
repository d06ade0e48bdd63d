/**
 * Gradients of LayerNorm and RMSNorm. Those of weight and bias are sums over all rows: blocks of rows
 * have partial sums, which are then added up in order. With h = (x - mean) rstd and t = dy weight, the
 * gradient of a row of x is rstd (t - mean(t) - h mean(t h)); RMSNorm has no mean(t).
 */
import { intAt, pointerAt } from './inlined/args';
import { fma, splat, sumOf } from './inlined/simd';
import { chunksOf, rowsOfChunk } from './rows';
import { barrier, claim } from './threads';

/** The tensors and sizes of the kernel in progress. */
let dx: usize = 0;
let x: usize = 0;
let weight: usize = 0;
let rstds: usize = 0;
let dy: usize = 0;
/** 0 for RMSNorm. */
let means: usize = 0;
let n: i32 = 0;
let d: i32 = 0;
/** Whether the gradient is added to dx. */
let adds: bool = false;

/** Sums over a row of t and of t h. */
let sumOfT: f32 = 0;
let sumOfTH: f32 = 0;

/** x [n, d], weight [d], rstd [n], dy [n, d], mean [n] or absent; n, d. */
function readArguments(args: usize): void {
  x = pointerAt(args, 0);
  weight = pointerAt(args, 1);
  rstds = pointerAt(args, 2);
  dy = pointerAt(args, 3);
  means = pointerAt(args, 4);
  n = intAt(args, 5);
  d = intAt(args, 6);
}

/** The gradient of x alone. Arguments: dx [n, d], those of `readArguments`, whether dx is added to. */
export function norm_gradient_x(args: usize): void {
  dx = pointerAt(args, 0);
  readArguments(args + 4);
  adds = intAt(args, 8) != 0;
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
 * All gradients. Arguments: parts [blocks, 2, d] and, in any order, dx [n, d], weight [d] and bias
 * [d]; those of `readArguments`; rows of a block; then, of dx, weight and bias, the index of its
 * address among the first four, and whether it is added to. A block's parts are the sums of dy h and
 * of dy over its rows.
 */
export function norm_gradients(args: usize): void {
  const parts = pointerAt(args, 0);
  readArguments(args + 16);
  const rows = intAt(args, 11);
  const outputs = args + 48;
  dx = pointerAt(args, intAt(outputs, 0));
  adds = intAt(outputs, 1) != 0;
  const blocks = chunksOf(n, rows);
  const width = (<usize>d) << 2;
  for (let block = claim(); block < blocks; block = claim()) {
    const part = parts + ((<usize>block) << 1) * width;
    memory.fill(part, 0, width << 1);
    const end = min(n, (block + 1) * rows);
    for (let row = block * rows; row < end; row++) {
      sumRowAndColumns(row, part);
      writeRow(row);
    }
  }
  barrier();
  for (let chunk = claim(); chunk < 2; chunk = claim()) {
    const output = outputs + 8 + ((<usize>chunk) << 3);
    const sums = pointerAt(args, intAt(output, 0));
    if (intAt(output, 1) == 0) memory.fill(sums, 0, width);
    addParts(sums, parts + <usize>chunk * width, blocks);
  }
}

/** Adds the first or second parts of all blocks to sums [d]; `parts`: the address of the first. */
function addParts(sums: usize, parts: usize, blocks: i32): void {
  const width = (<usize>d) << 2;
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    let sum = v128.load(sums + at);
    let part = parts + at;
    for (let block = 0; block < blocks; block++) {
      sum = f32x4.add(sum, v128.load(part));
      part += width << 1;
    }
    v128.store(sums + at, sum);
  }
  for (; at < width; at += 4) {
    let sum = load<f32>(sums + at);
    let part = parts + at;
    for (let block = 0; block < blocks; block++) {
      sum += load<f32>(part);
      part += width << 1;
    }
    store<f32>(sums + at, sum);
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
  let moreSums = splat(0);
  let products = splat(0);
  let moreProducts = splat(0);
  let at: usize = 0;
  for (; at + 32 <= width; at += 32) {
    const h = f32x4.mul(f32x4.sub(v128.load(from + at), splat(mean)), splat(rstd));
    const t = f32x4.mul(v128.load(dyRow + at), v128.load(scale + at));
    sums = f32x4.add(sums, t);
    products = fma(t, h, products);
    const nextH = f32x4.mul(f32x4.sub(v128.load(from + at, 16), splat(mean)), splat(rstd));
    const nextT = f32x4.mul(v128.load(dyRow + at, 16), v128.load(scale + at, 16));
    moreSums = f32x4.add(moreSums, nextT);
    moreProducts = fma(nextT, nextH, moreProducts);
  }
  let sum = sumOf(f32x4.add(sums, moreSums));
  let product = sumOf(f32x4.add(products, moreProducts));
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
  let moreSums = splat(0);
  let products = splat(0);
  let moreProducts = splat(0);
  let at: usize = 0;
  for (; at + 32 <= width; at += 32) {
    const g = v128.load(dyRow + at);
    const h = f32x4.mul(f32x4.sub(v128.load(from + at), splat(mean)), splat(rstd));
    const t = f32x4.mul(g, v128.load(scale + at));
    sums = f32x4.add(sums, t);
    products = fma(t, h, products);
    v128.store(part + at, fma(g, h, v128.load(part + at)));
    v128.store(biasPart + at, f32x4.add(g, v128.load(biasPart + at)));
    const nextG = v128.load(dyRow + at, 16);
    const nextH = f32x4.mul(f32x4.sub(v128.load(from + at, 16), splat(mean)), splat(rstd));
    const nextT = f32x4.mul(nextG, v128.load(scale + at, 16));
    moreSums = f32x4.add(moreSums, nextT);
    moreProducts = fma(nextT, nextH, moreProducts);
    v128.store(part + at, fma(nextG, nextH, v128.load(part + at, 16)), 16);
    v128.store(biasPart + at, f32x4.add(nextG, v128.load(biasPart + at, 16)), 16);
  }
  let sum = sumOf(f32x4.add(sums, moreSums));
  let product = sumOf(f32x4.add(products, moreProducts));
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
