/**
 * Cross-entropy of rows of logits, over the whole vocabulary or a chunk of it, in one pass over
 * memory: blocks of a row are read from memory for their maximum, and again, from the cache, for the
 * sum of exponentials relative to the largest logit so far (online softmax, Milakov and Gimelshein
 * 2018).
 */
import { intAt, pointerAt } from './inlined/args';
import { softmaxTerm, softmaxTerm4 } from './inlined/exponentials';
import { larger, maximumOf, splat, sumOf } from './inlined/simd';
import { logarithm } from './logarithm';
import { chunksOf, largestOfRow, rowsOfChunk } from './rows';
import { claim } from './threads';

/** Bytes of a block: 1024 logits, which stay in the first-level cache. */
const BLOCK: usize = 4096;

/** A logit takes as long as this many values of the kernels that `rowsOfChunk` is made for. */
const WORK: i32 = 2;

/** Smaller than every logit. */
const LOWEST: f32 = -3.4e38;

/**
 * State of a row over the logits so far: the largest one, the sum of exponentials relative to it and
 * its first token. Kernels keep it in memory, with the target's logit, in 16 bytes.
 */
let largest: f32 = LOWEST;
let total: f32 = 0;
let best: i32 = -1;

/** The largest logit of the block after the one whose exponentials were summed last. */
let nextLargest: f32 = LOWEST;

/** Adds the logits of tokens from `first` on to the state. */
function scanRow(row: usize, columns: i32, first: i32): void {
  const end = row + ((<usize>columns) << 2);
  let bestBlock: usize = 0;
  nextLargest = largestOfRow(row, min(end, row + BLOCK));
  for (let block = row; block < end; block += BLOCK) {
    if (nextLargest > largest) {
      if (total != 0) total *= softmaxTerm(largest - nextLargest);
      largest = nextLargest;
      bestBlock = block;
    }
    const next = min(end, block + BLOCK);
    if (next + BLOCK <= end) {
      total += sumOfBlock(block);
    } else {
      total += sumOfTerms(block, next);
      nextLargest = largestOfRow(next, end);
    }
  }
  if (bestBlock != 0) best = first + <i32>((firstLargest(bestBlock, end) - row) >>> 2);
}

/**
 * `sumOfTerms` of a whole block that a whole block follows, and the largest logit of that one. Both
 * in one loop, so that the next block comes from memory while exponentials are computed.
 */
function sumOfBlock(from: usize): f32 {
  const top = splat(largest);
  let a = splat(0);
  let b = splat(0);
  let c = splat(LOWEST);
  let d = c;
  for (let p = from; p < from + BLOCK; p += 32) {
    a = f32x4.add(a, softmaxTerm4(f32x4.sub(v128.load(p), top)));
    b = f32x4.add(b, softmaxTerm4(f32x4.sub(v128.load(p, 16), top)));
    c = f32x4.pmax(c, v128.load(p, BLOCK));
    d = f32x4.pmax(d, v128.load(p, BLOCK + 16));
  }
  nextLargest = maximumOf(larger(c, d));
  return sumOf(f32x4.add(a, b));
}

/** The sum of exponentials relative to `largest` over the logits in [from, end). */
function sumOfTerms(from: usize, end: usize): f32 {
  const top = splat(largest);
  let a = splat(0);
  let b = splat(0);
  let p = from;
  for (; p + 32 <= end; p += 32) {
    a = f32x4.add(a, softmaxTerm4(f32x4.sub(v128.load(p), top)));
    b = f32x4.add(b, softmaxTerm4(f32x4.sub(v128.load(p, 16), top)));
  }
  for (; p + 16 <= end; p += 16) {
    a = f32x4.add(a, softmaxTerm4(f32x4.sub(v128.load(p), top)));
  }
  let sum = sumOf(f32x4.add(a, b));
  for (; p < end; p += 4) sum += softmaxTerm(load<f32>(p) - largest);
  return sum;
}

/** The address of the first logit in [from, end) that is equal to `largest`, which exists. */
function firstLargest(from: usize, end: usize): usize {
  const top = splat(largest);
  let p = from;
  while (p + 16 <= end && !v128.any_true(f32x4.eq(v128.load(p), top))) p += 16;
  while (load<f32>(p) != largest) p += 4;
  return p;
}

/** Where the outputs of the kernel in progress begin: values of a row, each [n]. */
let losses: usize = 0;
let lses: usize = 0;
let probabilities: usize = 0;
let corrects: usize = 0;

function readOutputs(args: usize): void {
  losses = pointerAt(args, 0);
  lses = pointerAt(args, 1);
  probabilities = pointerAt(args, 2);
  corrects = pointerAt(args, 3);
}

/** Writes the outputs of a row from its state. */
function finishRow(row: i32, targetLogit: f32, correct: bool): void {
  const word = (<usize>row) << 2;
  const rest: f32 = <f32>logarithm(total);
  // Relative to the largest logit, so that no digits cancel.
  const loss = rest - (targetLogit - largest);
  store<f32>(losses + word, loss);
  store<f32>(lses + word, largest + rest);
  store<f32>(probabilities + word, softmaxTerm(-loss));
  store<f32>(corrects + word, correct ? 1 : 0);
}

/** loss, lse, probability, correct [n]; logits [n, v], targets [n]; n, v. */
export function cross_entropy(args: usize): void {
  readOutputs(args);
  const logits = pointerAt(args, 4);
  const targets = pointerAt(args, 5);
  const n = intAt(args, 6);
  const v = intAt(args, 7);
  const rows = rowsOfChunk(v * WORK);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const from = logits + ((<usize>row * <usize>v) << 2);
      const target = load<i32>(targets + ((<usize>row) << 2));
      largest = LOWEST;
      total = 0;
      best = -1;
      scanRow(from, v, 0);
      finishRow(row, load<f32>(from + ((<usize>target) << 2)), best == target);
    }
  }
}

/**
 * Adds a chunk of the vocabulary to the rows' states: states [n, 4]; logits [n, columns], targets
 * [n]; n, columns, the chunk's first token. The chunk of token 0 begins the states; the target's
 * logit is 0 until its chunk.
 */
export function cross_entropy_chunk(args: usize): void {
  const states = pointerAt(args, 0);
  const logits = pointerAt(args, 1);
  const targets = pointerAt(args, 2);
  const n = intAt(args, 3);
  const columns = intAt(args, 4);
  const first = intAt(args, 5);
  const rows = rowsOfChunk(columns * WORK);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const state = states + ((<usize>row) << 4);
      largest = first == 0 ? LOWEST : load<f32>(state);
      total = first == 0 ? 0 : load<f32>(state, 4);
      best = first == 0 ? -1 : load<i32>(state, 8);
      const from = logits + ((<usize>row * <usize>columns) << 2);
      scanRow(from, columns, first);
      store<f32>(state, largest);
      store<f32>(state, total, 4);
      store<i32>(state, best, 8);
      const target = load<i32>(targets + ((<usize>row) << 2)) - first;
      if (target >= 0 && target < columns) {
        store<f32>(state, load<f32>(from + ((<usize>target) << 2)), 12);
      } else if (first == 0) {
        store<f32>(state, 0, 12);
      }
    }
  }
}

/** Rows of a chunk of `cross_entropy_finish`. */
const FINISHED_ROWS: i32 = 512;

/** loss, lse, probability, correct [n]; states [n, 4] after the last chunk, targets [n]; n. */
export function cross_entropy_finish(args: usize): void {
  readOutputs(args);
  const states = pointerAt(args, 4);
  const targets = pointerAt(args, 5);
  const n = intAt(args, 6);
  const chunks = chunksOf(n, FINISHED_ROWS);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * FINISHED_ROWS);
    for (let row = chunk * FINISHED_ROWS; row < end; row++) {
      const state = states + ((<usize>row) << 4);
      largest = load<f32>(state);
      total = load<f32>(state, 4);
      const target = load<i32>(targets + ((<usize>row) << 2));
      finishRow(row, load<f32>(state, 12), load<i32>(state, 8) == target);
    }
  }
}

/**
 * Overwrites logits [n, columns] with their gradient dloss (softmax - one-hot); targets, lse, dloss
 * [n]; n, columns, the token of column 0. Rows whose dloss is 0 become zeros, whatever their logits.
 */
export function cross_entropy_gradient(args: usize): void {
  const logits = pointerAt(args, 0);
  const targets = pointerAt(args, 1);
  const lses = pointerAt(args, 2);
  const dlosses = pointerAt(args, 3);
  const n = intAt(args, 4);
  const columns = intAt(args, 5);
  const first = intAt(args, 6);
  const width = (<usize>columns) << 2;
  const rows = rowsOfChunk(columns * WORK);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const word = (<usize>row) << 2;
      const from = logits + <usize>row * width;
      const dloss = load<f32>(dlosses + word);
      if (dloss == 0) {
        memory.fill(from, 0, width);
        continue;
      }
      scaleTerms(from, from + width, load<f32>(lses + word), dloss);
      const target = load<i32>(targets + word) - first;
      if (target < 0 || target >= columns) continue;
      const hit = from + ((<usize>target) << 2);
      store<f32>(hit, load<f32>(hit) - dloss);
    }
  }
}

/** Replaces the logits in [from, end) by `scale` e^(logit - lse). */
function scaleTerms(from: usize, end: usize, lse: f32, scale: f32): void {
  const offset = splat(lse);
  const factor = splat(scale);
  let p = from;
  for (; p + 16 <= end; p += 16) {
    const term = softmaxTerm4(f32x4.sub(v128.load(p), offset));
    v128.store(p, f32x4.mul(term, factor));
  }
  for (; p < end; p += 4) store<f32>(p, softmaxTerm(load<f32>(p) - lse) * scale);
}
