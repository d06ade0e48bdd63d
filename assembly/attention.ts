/**
 * Causal attention, forward: for a strip of eight queries at a time, the scores of all keys that it
 * sees (in scratch), their softmax, and the weighted values. No [T, T] matrix exists.
 */
import { chunksOf } from './rows';
import { claim, scratch, scratchBytes } from './threads';
import { pointerAt } from './inlined/args';
import { larger, splat } from './inlined/simd';
import { softmaxTerm4 } from './inlined/exponentials';
import { logarithm4 } from './inlined/logarithms';
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
import { copyLanes, packRows, packStrips, scaleRows, transposeStrip } from './attention_packing';
import {
  keyStride,
  SCORE_BYTES,
  scores,
  setFactors,
  setKeyStride,
  setTargetRows,
  setTargetStride,
  STRIP,
  weightedRows,
} from './attention_tiles';

/** Queries of a block, which share packed keys and values; fewer where there are few blocks. */
const LARGE_BLOCK: i32 = 128;
const SMALL_BLOCK: i32 = 32;
const FEW_BLOCKS: i32 = 16;

let output: usize = 0;
let logSums: usize = 0;
let packed: usize = 0;
/** Queries of a block: a multiple of those of a strip. */
let blockRows: i32 = 0;

/**
 * qkv [sequences rows, (n_head + 2 n_kv_head) head_dim] -> y [sequences rows, n_head head_dim], lse
 * [sequences, n_head, rows]; rng and document starts are optional. Parameters: `readShape`. head_dim
 * is a multiple of eight.
 */
export function attention(args: usize): void {
  output = pointerAt(args, 0);
  logSums = pointerAt(args, 1);
  packed = pointerAt(args, 2);
  readShape(args + 20, pointerAt(args, 3), pointerAt(args, 4));
  const heads = sequences * queryHeads;
  const largeBlocks = heads * chunksOf(rowCount, LARGE_BLOCK);
  blockRows = largeBlocks < FEW_BLOCKS ? SMALL_BLOCK : LARGE_BLOCK;
  const blocks = chunksOf(rowCount, blockRows);
  const share = headsOfChunk(heads);
  const shares = chunksOf(heads, share);
  const chunks = blocks * shares;
  setTargetStride(outputBytes);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    // The last queries see the most keys, so they start first.
    const begin = (blocks - 1 - chunk / shares) * blockRows;
    const firstHead = (chunk % shares) * share;
    const endHead = min(heads, firstHead + share);
    for (let head = firstHead; head < endHead; head++) attendBlock(head, begin);
  }
}

/** Scratch memory: factors of eight rows, a strip of queries, its transpose, then keys and values. */
let strip: usize = 0;
let panel: usize = 0;
let weights: usize = 0;
let keys: usize = 0;
let values: usize = 0;

/** Computes the block of queries of a head that begins at row `begin`. */
function attendBlock(head: i32, begin: i32): void {
  const sequence = head / queryHeads;
  const queryHead = head % queryHeads;
  const end = min(rowCount, begin + blockRows);
  const first = firstKey(sequence, begin);
  const rows = packed + <usize>(sequence * rowCount) * packedBytes;
  const keyHead = queryHeads + queryHead / (queryHeads / keyHeads);
  strip = scratch() + 64;
  panel = strip + (headBytes << 3);
  weights = panel + (headBytes << 3);
  keys = rows + <usize>first * packedBytes + <usize>keyHead * headBytes;
  values = keys + <usize>keyHeads * headBytes;
  packKeys(end - first);
  for (let query = begin; query < end; query += STRIP) {
    setStrip(sequence, queryHead, query);
    const count = min(STRIP, end - query);
    const source = rows + <usize>query * packedBytes + <usize>queryHead * headBytes;
    packStrips(strip, source, count, packedBytes);
    scaleRows(strip, count, scale);
    transposeStrip(strip, panel);
    attendStrip(head, query, first);
  }
}

/** Copies the block's keys and values to scratch memory, where they are contiguous, if they fit. */
function packKeys(count: i32): void {
  const size = <usize>count * headBytes;
  // The weights of a strip take up to three further rows.
  const target = weights + <usize>(count + 3) * SCORE_BYTES;
  if (target + (size << 1) > scratch() + <usize>scratchBytes()) {
    setKeyStride(packedBytes);
    return;
  }
  packRows(target, keys, count, packedBytes);
  packRows(target + size, values, count, packedBytes);
  keys = target;
  values = target + size;
  setKeyStride(headBytes);
}

/** Computes the strip that begins with `query`; `packedFirst` is the first of the block's keys. */
function attendStrip(head: i32, query: i32, packedFirst: i32): void {
  const sequence = head / queryHeads;
  const end = min(query + STRIP, rowCount);
  const first = firstKey(sequence, query);
  const skipped = <usize>(first - packedFirst) * keyStride;
  scores(keys + skipped, end - first, panel, weights);
  maskScores(weights, first, end);
  softmax(end - first, logSums + ((<usize>(head * rowCount + query)) << 2), end - query);
  if (dropsWeights()) dropStrip(weights, first, end);
  const target =
    output +
    <usize>(sequence * rowCount + query) * outputBytes +
    <usize>(head % queryHeads) * headBytes;
  setFactors(scratch());
  setTargetRows(end - query);
  weightedRows(weights, min(end, query + 4) - first, values + skipped, target);
  if (end - query <= 4) return;
  setFactors(scratch() + 16);
  setTargetRows(end - query - 4);
  weightedRows(weights + 16, end - first, values + skipped, target + (outputBytes << 2));
}

/**
 * Replaces the strip's scores [count][8] by e^(score - maximum), leaves the factors of the rows of y
 * in scratch memory, and writes the log-sum-exp of its rows.
 */
function softmax(count: i32, target: usize, rows: i32): void {
  const end = weights + <usize>count * SCORE_BYTES;
  let top0 = v128.load(weights);
  let top1 = v128.load(weights, 16);
  for (let at = weights + SCORE_BYTES; at < end; at += SCORE_BYTES) {
    top0 = larger(v128.load(at), top0);
    top1 = larger(v128.load(at, 16), top1);
  }
  let total0 = splat(0);
  let total1 = splat(0);
  for (let at = weights; at < end; at += SCORE_BYTES) {
    const weight0 = softmaxTerm4(f32x4.sub(v128.load(at), top0));
    const weight1 = softmaxTerm4(f32x4.sub(v128.load(at, 16), top1));
    total0 = f32x4.add(total0, weight0);
    total1 = f32x4.add(total1, weight1);
    v128.store(at, weight0);
    v128.store(at, weight1, 16);
  }
  const factors = scratch();
  v128.store(factors, f32x4.add(top0, logarithm4(total0)));
  v128.store(factors, f32x4.add(top1, logarithm4(total1)), 16);
  copyLanes(target, factors, rows);
  v128.store(factors, f32x4.div(splat(kept), total0));
  v128.store(factors, f32x4.div(splat(kept), total1), 16);
}
