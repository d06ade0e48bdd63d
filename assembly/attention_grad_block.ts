/** The gradient of a block of queries of a head, with respect to the keys of the current part. */
import { fma, splat, sumOf } from './inlined/simd';
import { softmaxTerm4 } from './inlined/exponentials';
import {
  dropStrip,
  dropsWeights,
  firstKey,
  headBytes,
  kept,
  maskScores,
  outputBytes,
  packedBytes,
  queryHeads,
  rowCount,
  scale,
  sequences,
  setStrip,
} from './attention_shape';
import { keyGradients, keys, valueGradients, values } from './attention_grad_keys';
import {
  BLOCK,
  bounds,
  gradientPanel,
  gradientRows,
  gradients,
  logSums,
  output,
  outputGradients,
  packed,
  partEnd,
  partFirst,
  partials,
  partKeys,
  queryPanel,
  queryRows,
  scoreGradients,
  statistics,
  weights,
} from './attention_grad_state';
import { copyLanes, packStrips, scaleRows, transposeStrip } from './attention_packing';
import {
  addWeightedQueries,
  keyStride,
  SCORE_BYTES,
  scores,
  setFactors,
  setTargetRows,
  setTargetStride,
  STRIP,
  stripStride,
  weightedRows,
} from './attention_tiles';

/** dQ of a block, and what the block adds to dK and dV. */
export function blockGradient(sequence: i32, head: i32, query: i32): void {
  packQueries(sequence, head, query);
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
  const first = min(max(firstKey(sequence, query) & ~3, partFirst), partEnd);
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
    const weight0 = softmaxTerm4(f32x4.sub(v128.load(p), lse0));
    const weight1 = softmaxTerm4(f32x4.sub(v128.load(p, 16), lse1));
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

/** Packs the block's queries, scaled, and its rows of dy. */
function packQueries(sequence: i32, head: i32, query: i32): void {
  const count = min(BLOCK, rowCount - query);
  const row = <usize>(sequence * rowCount + query);
  const column = <usize>head * headBytes;
  packStrips(queryRows, packed + row * packedBytes + column, count, packedBytes);
  scaleRows(queryRows, count, scale);
  packStrips(gradientRows, outputGradients + row * outputBytes + column, count, outputBytes);
}
