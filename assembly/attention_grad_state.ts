/**
 * What the gradient of attention computes: its tensors, the part of the keys that is current, and
 * where things are in scratch memory. The module state of this file belongs to a thread.
 */
import { chunksOf } from './rows';
import { scratch } from './threads';
import { intAt, pointerAt } from './inlined/args';
import { headBytes, readShape, rowCount } from './attention_shape';
import { SCORE_BYTES, setStripStride, STRIP, stripStride } from './attention_tiles';

/** Queries of a block. */
export const BLOCK: i32 = 32;
const STRIPS: i32 = BLOCK / STRIP;

/** The tensors. */
export let gradients: usize = 0;
export let partials: usize = 0;
export let packed: usize = 0;
export let output: usize = 0;
export let logSums: usize = 0;
export let outputGradients: usize = 0;
/** Keys of a part: a multiple of BLOCK, and at most 4096, so that scratch memory suffices. */
export let partKeys: i32 = 0;
export let parts: i32 = 0;

/** Reads what follows the gradient of qkv and the partial sums of dQ, which may be absent. */
export function readGradient(args: usize, gradientsAt: usize, partialsAt: usize): void {
  gradients = gradientsAt;
  partials = partialsAt;
  packed = pointerAt(args, 0);
  output = pointerAt(args, 1);
  logSums = pointerAt(args, 2);
  outputGradients = pointerAt(args, 3);
  readShape(args + 24, pointerAt(args, 4), pointerAt(args, 5));
  partKeys = intAt(args, 18);
  parts = chunksOf(rowCount, partKeys);
  placeScratch();
}

/** Scratch memory. First and end key of each strip of a block, then statistics of a strip. */
export let bounds: usize = 0;
export let statistics: usize = 0;
/** Rows of queries and of dy of a block, and the transposes of a strip of them. */
export let queryRows: usize = 0;
export let gradientRows: usize = 0;
export let queryPanel: usize = 0;
export let gradientPanel: usize = 0;
/** P and dS [strips of a block][keys of a part][8]. */
export let weights: usize = 0;
export let scoreGradients: usize = 0;
/** What follows: packed keys, values and their gradients. */
export let packedAt: usize = 0;

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
export let partFirst: i32 = 0;
export let partEnd: i32 = 0;

export function setPart(part: i32): void {
  partFirst = part * partKeys;
  partEnd = min(rowCount, partFirst + partKeys);
}
