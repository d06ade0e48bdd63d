/**
 * The gradient of causal attention. One chunk computes dQ, dK and dV of a key head (of a part of its
 * keys, where heads are few): for a block of queries, strip by strip, the weights P and the gradients
 * of scores dS are computed again from `lse` and stored in scratch memory, then dV += P^T dY and
 * dK += dS^T Q for all keys of the block. (FlashAttention-2, Dao 2023, algorithm 2.)
 */
import { barrier, claim, scratch } from './threads';
import { intAt, pointerAt } from './inlined/args';
import { fma, splat, sumOf } from './inlined/simd';
import { weightOf } from './inlined/softmax';
import {
  dropStrip,
  dropsWeights,
  firstKey,
  headBytes,
  headsOfChunk,
  keyHeads,
  kept,
  maskScores,
  outputBytes,
  packedBytes,
  queryHeads,
  readShape,
  rowCount,
  scale,
  sequences,
  setStrip,
} from './attention_shape';
import {
  addWeightedQueries,
  copyLanes,
  keyStride,
  packRows,
  packStrips,
  SCORE_BYTES,
  scaleRows,
  scores,
  setFactors,
  setKeyStride,
  setStripStride,
  setTargetRows,
  setTargetStride,
  STRIP,
  stripStride,
  transposeStrip,
  unpackRows,
  weightedRows,
} from './attention_tiles';

/** Queries of a block, and the strips of it. */
const BLOCK: i32 = 32;
const STRIPS: i32 = 4;
/** Keys, values and their gradients are packed if they take no more scratch memory than this. */
const MOST_PACKED: usize = 2 << 20;

/** The tensors. */
let gradients: usize = 0;
let partials: usize = 0;
let packed: usize = 0;
let output: usize = 0;
let logSums: usize = 0;
let outputGradients: usize = 0;
/** Keys of a part: a multiple of BLOCK, and at most 4096, so that scratch memory suffices. */
let partKeys: i32 = 0;

/**
 * qkv, y, lse and dy as in `attention` -> dqkv; rng and document starts are optional. Parameters:
 * `readShape`, then the number of keys of a part (all of them).
 */
export function attention_grad(args: usize): void {
  gradients = pointerAt(args, 0);
  partials = 0;
  computeParts(args + 4);
}

/**
 * The same in several parts; the second argument is partials [parts, sequences rows, n_head head_dim],
 * what each part adds to dQ.
 */
export function attention_grad_parts(args: usize): void {
  gradients = pointerAt(args, 0);
  partials = pointerAt(args, 1);
  computeParts(args + 8);
  barrier();
  sumPartials();
}

let parts: i32 = 0;

function computeParts(args: usize): void {
  packed = pointerAt(args, 0);
  output = pointerAt(args, 1);
  logSums = pointerAt(args, 2);
  outputGradients = pointerAt(args, 3);
  readShape(args + 24, pointerAt(args, 4), pointerAt(args, 5));
  partKeys = intAt(args, 16);
  const heads = sequences * keyHeads;
  const share = headsOfChunk(heads);
  const shares = (heads + share - 1) / share;
  parts = (rowCount + partKeys - 1) / partKeys;
  placeScratch();
  for (let chunk = claim(); chunk < parts * shares; chunk = claim()) {
    // The first keys are seen by the most queries, so they start first.
    setPart((chunk / shares) * partKeys);
    const firstHead = (chunk % shares) * share;
    const endHead = min(heads, firstHead + share);
    for (let head = firstHead; head < endHead; head++) keyHeadGradient(head);
  }
}

/** Scratch memory. First and end key of each strip of a block, then statistics of a strip. */
let bounds: usize = 0;
let statistics: usize = 0;
/** Rows of queries and of dy of a block, and the transposes of a strip of them. */
let queryRows: usize = 0;
let gradientRows: usize = 0;
let queryPanel: usize = 0;
let gradientPanel: usize = 0;
/** P and dS [strips of a block][keys of a part][8]. */
let weights: usize = 0;
let scoreGradients: usize = 0;
/** What follows: packed keys, values and their gradients. */
let packedAt: usize = 0;

function placeScratch(): void {
  bounds = scratch();
  statistics = bounds + 64;
  queryPanel = statistics + 128;
  gradientPanel = queryPanel + (headBytes << 3);
  queryRows = gradientPanel + (headBytes << 3);
  gradientRows = queryRows + headBytes * <usize>BLOCK;
  weights = gradientRows + headBytes * <usize>BLOCK;
  // One further cache line, so that strips do not fall on the same sets of the cache.
  const keysOfPart = (min(partKeys, rowCount) + 3) & ~3;
  setStripStride(<usize>keysOfPart * SCORE_BYTES + 64);
  scoreGradients = weights + <usize>STRIPS * stripStride;
  packedAt = scoreGradients + <usize>STRIPS * stripStride;
}

/** The part's first key and the end of its keys. */
let partFirst: i32 = 0;
let partEnd: i32 = 0;

function setPart(first: i32): void {
  partFirst = first;
  partEnd = min(rowCount, first + partKeys);
}

/** The part's keys, values and their gradients: rows `keyStride` apart, packed or in the tensors. */
let keys: usize = 0;
let values: usize = 0;
let keyGradients: usize = 0;
let valueGradients: usize = 0;

/** dK and dV of the part's keys of a key head, and what they add to dQ. */
function keyHeadGradient(head: i32): void {
  const sequence = head / keyHeads;
  const keyHead = head % keyHeads;
  const group = queryHeads / keyHeads;
  const at =
    <usize>(sequence * rowCount + partFirst) * packedBytes +
    <usize>(queryHeads + keyHead) * headBytes;
  const isPacked = packKeys(at);
  clearGradients();
  for (let queryHead = keyHead * group; queryHead < (keyHead + 1) * group; queryHead++) {
    for (let query = partFirst; query < rowCount; query += BLOCK) {
      packQueries(sequence, queryHead, query);
      blockGradient(sequence, queryHead, query);
    }
  }
  if (isPacked) unpackGradients(at);
}

/** Copies the part's keys and values to scratch memory, where they are contiguous, if they fit. */
function packKeys(at: usize): bool {
  const count = partEnd - partFirst;
  const size = <usize>count * headBytes;
  const valuesAt = at + <usize>keyHeads * headBytes;
  if (size > MOST_PACKED / 4) {
    keys = packed + at;
    values = packed + valuesAt;
    keyGradients = gradients + at;
    valueGradients = gradients + valuesAt;
    setKeyStride(packedBytes);
    return false;
  }
  keys = packedAt;
  values = keys + size;
  keyGradients = values + size;
  valueGradients = keyGradients + size;
  packRows(keys, packed + at, count, packedBytes);
  packRows(values, packed + valuesAt, count, packedBytes);
  setKeyStride(headBytes);
  return true;
}

function clearGradients(): void {
  const rows = <usize>(partEnd - partFirst);
  if (keyStride == headBytes) {
    memory.fill(keyGradients, 0, (rows * headBytes) << 1);
    return;
  }
  for (let row: usize = 0; row < rows; row++) {
    memory.fill(keyGradients + row * keyStride, 0, headBytes);
    memory.fill(valueGradients + row * keyStride, 0, headBytes);
  }
}

function unpackGradients(at: usize): void {
  const count = partEnd - partFirst;
  const target = gradients + at;
  unpackRows(target, keyGradients, count, packedBytes);
  unpackRows(target + <usize>keyHeads * headBytes, valueGradients, count, packedBytes);
}

/** Packs the block's queries, scaled, and its rows of dy. */
function packQueries(sequence: i32, head: i32, query: i32): void {
  const count = min(BLOCK, rowCount - query);
  const row = <usize>(sequence * rowCount + query);
  const column = <usize>head * headBytes;
  packStrips(queryRows, packed + row * packedBytes + column, count, packedBytes);
  scaleRows(queryRows, count, scale);
  packStrips(gradientRows, outputGradients + row * outputBytes + column, count, outputBytes);
}

/** dQ of a block, and what the block adds to dK and dV. */
function blockGradient(sequence: i32, head: i32, query: i32): void {
  const end = min(rowCount, query + BLOCK);
  let strip = 0;
  for (let first = query; first < end; first += STRIP) {
    const rows = <usize>(first - query) * headBytes;
    transposeStrip(queryRows + rows, queryPanel);
    transposeStrip(gradientRows + rows, gradientPanel);
    loadStatistics(sequence, head, first);
    setStrip(sequence, head, first);
    stripGradient(sequence, strip, first);
    storeQueryGradient(sequence, head, strip, first);
    strip++;
  }
  addToKeys(strip);
}

/** Writes lse and delta (the sums of y dy) of the strip's rows to `statistics`: [2][8]. */
function loadStatistics(sequence: i32, head: i32, query: i32): void {
  const count = min(STRIP, rowCount - query);
  const row = <usize>(sequence * rowCount + query);
  const at = row * outputBytes + <usize>head * headBytes;
  let y = output + at;
  let dy = outputGradients + at;
  // Rows that do not exist get a weight of zero.
  v128.store(statistics, splat(1e30));
  v128.store(statistics, splat(1e30), 16);
  v128.store(statistics, splat(0), 32);
  v128.store(statistics, splat(0), 48);
  const from = logSums + ((<usize>((sequence * queryHeads + head) * rowCount + query)) << 2);
  copyLanes(statistics, from, count);
  for (let r = 0; r < count; r++) {
    let sum = splat(0);
    for (let column: usize = 0; column < headBytes; column += 16)
      sum = fma(v128.load(y + column), v128.load(dy + column), sum);
    store<f32>(statistics + 32 + ((<usize>r) << 2), sumOf(sum));
    y += outputBytes;
    dy += outputBytes;
  }
}

/** Computes P and dS of a strip for the part's keys, and notes their bounds. */
function stripGradient(sequence: i32, strip: i32, query: i32): void {
  const end = min(min(query + STRIP, rowCount), partEnd);
  const first = max(firstKey(sequence, query) & ~3, partFirst);
  const bound = bounds + ((<usize>strip) << 3);
  store<i32>(bound, first);
  store<i32>(bound, max(first, end), 4);
  if (first >= end) return;
  const offset = <usize>(first - partFirst);
  const at = <usize>strip * stripStride + offset * SCORE_BYTES;
  const p = weights + at;
  const ds = scoreGradients + at;
  scores(keys + offset * keyStride, end - first, queryPanel, p);
  maskScores(p, first, end);
  scores(values + offset * keyStride, end - first, gradientPanel, ds);
  if (dropsWeights()) dropStrip(ds, first, end);
  differentiate(p, ds, end - first);
  if (dropsWeights()) {
    dropStrip(p, first, end);
    scaleStrip(p, end - first);
  }
}

/** Replaces scores by P = e^(score - lse), and dP by dS = P (dP - delta). */
function differentiate(p: usize, ds: usize, count: i32): void {
  const lse0 = v128.load(statistics);
  const lse1 = v128.load(statistics, 16);
  const delta0 = v128.load(statistics, 32);
  const delta1 = v128.load(statistics, 48);
  const factor = splat(kept);
  const end = p + <usize>count * SCORE_BYTES;
  for (; p < end; p += SCORE_BYTES) {
    const weight0 = weightOf(f32x4.sub(v128.load(p), lse0));
    const weight1 = weightOf(f32x4.sub(v128.load(p, 16), lse1));
    const change0 = f32x4.sub(f32x4.mul(v128.load(ds), factor), delta0);
    const change1 = f32x4.sub(f32x4.mul(v128.load(ds, 16), factor), delta1);
    v128.store(p, weight0);
    v128.store(p, weight1, 16);
    v128.store(ds, f32x4.mul(weight0, change0));
    v128.store(ds, f32x4.mul(weight1, change1), 16);
    ds += SCORE_BYTES;
  }
}

/** Scales the weights that dropout kept. */
function scaleStrip(at: usize, count: i32): void {
  const factor = splat(kept);
  const end = at + <usize>count * SCORE_BYTES;
  for (; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
}

/** dQ = scale dS K of the strip's rows, or what the part adds to it. */
function storeQueryGradient(sequence: i32, head: i32, strip: i32, query: i32): void {
  const first = load<i32>(bounds + ((<usize>strip) << 3));
  const end = load<i32>(bounds + ((<usize>strip) << 3), 4);
  const offset = <usize>(first - partFirst);
  const ds = scoreGradients + <usize>strip * stripStride + offset * SCORE_BYTES;
  const from = keys + offset * keyStride;
  const row = <usize>(sequence * rowCount + query);
  const column = <usize>head * headBytes;
  let stride = packedBytes;
  let target = gradients + row * packedBytes + column;
  if (partials) {
    const part = <usize>(partFirst / partKeys) * <usize>(sequences * rowCount);
    stride = outputBytes;
    target = partials + (part + row) * outputBytes + column;
  }
  setTargetStride(stride);
  const factors = statistics + 64;
  v128.store(factors, splat(scale));
  setFactors(factors);
  setTargetRows(rowCount - query);
  weightedRows(ds, max(0, min(end, query + 4) - first), from, target);
  if (rowCount - query <= 4) return;
  setTargetRows(rowCount - query - 4);
  weightedRows(ds + 16, end - first, from, target + (stride << 2));
}

/** dV += P^T dY and dK += dS^T Q, four keys at a time, over the strips that see them. */
function addToKeys(strips: i32): void {
  setTargetStride(keyStride);
  let firstStrip = 0;
  let endStrip = 0;
  const firstOfBlock = load<i32>(bounds);
  const endOfBlock = load<i32>(bounds + ((<usize>(strips - 1)) << 3), 4);
  for (let key = firstOfBlock; key < endOfBlock; key += 4) {
    while (load<i32>(bounds + ((<usize>firstStrip) << 3), 4) <= key) firstStrip++;
    while (endStrip < strips && load<i32>(bounds + ((<usize>endStrip) << 3)) <= key) endStrip++;
    const offset = <usize>(key - partFirst);
    const from = <usize>firstStrip * stripStride + offset * SCORE_BYTES;
    const rows = ((<usize>firstStrip) << 3) * headBytes;
    const target = offset * keyStride;
    const count = endStrip - firstStrip;
    setTargetRows(partEnd - key);
    addWeightedQueries(valueGradients + target, weights + from, count, gradientRows + rows);
    addWeightedQueries(keyGradients + target, scoreGradients + from, count, queryRows + rows);
  }
}

/** Rows that a thread claims at once when it sums what the parts add to dQ. */
const SUM_ROWS: i32 = 16;

/** dQ = the sum over the parts whose first key the row sees, in their order. */
function sumPartials(): void {
  const rows = sequences * rowCount;
  const chunks = (rows + SUM_ROWS - 1) / SUM_ROWS;
  const partBytes = <usize>rows * outputBytes;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(rows, (chunk + 1) * SUM_ROWS);
    for (let row = chunk * SUM_ROWS; row < end; row++) {
      const seen = (row % rowCount) / partKeys;
      const from = partials + <usize>row * outputBytes;
      const target = gradients + <usize>row * packedBytes;
      for (let at: usize = 0; at < outputBytes; at += 16) {
        let sum = v128.load(from + at);
        for (let part = 1; part <= seen; part++)
          sum = f32x4.add(sum, v128.load(from + at + <usize>part * partBytes));
        v128.store(target + at, sum);
      }
    }
  }
}
