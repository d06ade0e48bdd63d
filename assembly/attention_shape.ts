/**
 * The shape of the attention that this thread computes, and which keys a strip of queries sees: from
 * the first row of its window and its document on, up to itself.
 */
import { floatAt, intAt } from './inlined/args';
import { siteState, stir4 } from './inlined/random';
import { splat } from './inlined/simd';
import { setHeadBytes, STRIP } from './attention_tiles';

/** Sequences, and rows of each. */
export let sequences: i32 = 0;
export let rowCount: i32 = 0;
export let queryHeads: i32 = 0;
export let keyHeads: i32 = 0;
export let headDim: i32 = 0;
/** Query i sees the keys j > i - window; 0 means no window. */
export let window: i32 = 0;
/** The factor of scores: 1 / sqrt(head_dim), of heads as they are in the model, before padding. */
export let scale: f32 = 0;
/** Bytes of a head, of a row of qkv and of a row of y. */
export let headBytes: usize = 0;
export let packedBytes: usize = 0;
export let outputBytes: usize = 0;

/** Dropout: address of rng (0 without), threshold of a dropped draw, and the factor of the others. */
let rng: usize = 0;
let site: i32 = 0;
let threshold: i32 = 0;
export let kept: f32 = 1;
/** Query heads that dropout's rows are counted by, and which of them is the first one here. */
let maskHeads: i32 = 0;
let firstHead: i32 = 0;
/** Address of the first row of each row's document, int32 [sequences, rowCount]; 0 without. */
let documentStarts: usize = 0;

/**
 * Reads the parameters: sequences, rows of each, query heads, key heads, head_dim, window, scale,
 * then site, threshold and factor of dropout, the query heads of the whole model and the first one
 * here.
 */
export function readShape(params: usize, rngAddress: usize, startsAddress: usize): void {
  sequences = intAt(params, 0);
  rowCount = intAt(params, 1);
  queryHeads = intAt(params, 2);
  keyHeads = intAt(params, 3);
  headDim = intAt(params, 4);
  window = intAt(params, 5);
  scale = floatAt(params, 6);
  rng = rngAddress;
  site = intAt(params, 7);
  threshold = intAt(params, 8);
  kept = rng ? floatAt(params, 9) : 1;
  maskHeads = intAt(params, 10);
  firstHead = intAt(params, 11);
  documentStarts = startsAddress;
  headBytes = (<usize>headDim) << 2;
  packedBytes = headBytes * <usize>(queryHeads + 2 * keyHeads);
  outputBytes = headBytes * <usize>queryHeads;
  setHeadBytes(headBytes);
}

/** Multiply-adds that make a chunk worth its claim. */
const LEAST_WORK: i32 = 1 << 16;

/** Heads that a thread claims at once: several where rows are few, but never most of them. */
export function headsOfChunk(heads: i32): i32 {
  const rows = min(rowCount, 512);
  return max(1, min(LEAST_WORK / (rows * rows * headDim), heads / 16));
}

export function dropsWeights(): bool {
  return rng != 0;
}

/** The first key that a query of a sequence sees. Never decreases from query to query. */
export function firstKey(sequence: i32, query: i32): i32 {
  const inWindow = window > 0 ? max(0, query - window + 1) : 0;
  if (documentStarts == 0) return inWindow;
  const row = <usize>(sequence * rowCount + query);
  return max(inWindow, load<i32>(documentStarts + (row << 2)));
}

/** The strip's queries, the first key of each, and the largest of those. */
let queries0: v128 = i32x4.splat(0);
let queries1: v128 = i32x4.splat(0);
let firsts0: v128 = i32x4.splat(0);
let firsts1: v128 = i32x4.splat(0);
let stripQuery: i32 = 0;
let lastFirst: i32 = 0;
/** The state of dropout's draws for each query of the strip. */
let draws0: v128 = i32x4.splat(0);
let draws1: v128 = i32x4.splat(0);

/** Prepares the masks of the strip that begins with `query`; lanes beyond the last row see all. */
export function setStrip(sequence: i32, head: i32, query: i32): void {
  const here = i32x4.add(i32x4.splat(query), i32x4(0, 1, 2, 3));
  stripQuery = query;
  queries0 = here;
  queries1 = i32x4.add(here, i32x4.splat(4));
  lastFirst = firstKey(sequence, min(query + STRIP, rowCount) - 1);
  if (lastFirst > 0) setFirsts(sequence, query);
  if (rng) setDraws(sequence, head);
}

function setFirsts(sequence: i32, query: i32): void {
  const last = rowCount - 1;
  firsts0 = i32x4.splat(firstKey(sequence, query));
  firsts0 = i32x4.replace_lane(firsts0, 1, firstKey(sequence, min(query + 1, last)));
  firsts0 = i32x4.replace_lane(firsts0, 2, firstKey(sequence, min(query + 2, last)));
  firsts0 = i32x4.replace_lane(firsts0, 3, firstKey(sequence, min(query + 3, last)));
  firsts1 = i32x4.splat(firstKey(sequence, min(query + 4, last)));
  firsts1 = i32x4.replace_lane(firsts1, 1, firstKey(sequence, min(query + 5, last)));
  firsts1 = i32x4.replace_lane(firsts1, 2, firstKey(sequence, min(query + 6, last)));
  firsts1 = i32x4.replace_lane(firsts1, 3, firstKey(sequence, min(query + 7, last)));
}

/** The score of a key that a query does not see. */
const MASKED: f32 = -Infinity;

/** Masks the scores [keys][8] of the strip, whose first row is that of key `first`. */
export function maskScores(at: usize, first: i32, end: i32): void {
  const seenByAll = min(max(first, lastFirst), end);
  maskKeys(at, first, first, seenByAll);
  maskKeys(at, first, max(seenByAll, stripQuery + 1), end);
}

function maskKeys(at: usize, first: i32, from: i32, to: i32): void {
  const masked = splat(MASKED);
  const bounded = lastFirst > 0;
  let row = at + ((<usize>(from - first)) << 5);
  for (let key = from; key < to; key++) {
    const keys = i32x4.splat(key);
    let seen0 = i32x4.ge_s(queries0, keys);
    let seen1 = i32x4.ge_s(queries1, keys);
    if (bounded) {
      seen0 = v128.and(seen0, i32x4.le_s(firsts0, keys));
      seen1 = v128.and(seen1, i32x4.le_s(firsts1, keys));
    }
    v128.store(row, v128.bitselect(v128.load(row), masked, seen0));
    v128.store(row, v128.bitselect(v128.load(row, 16), masked, seen1), 16);
    row += 32;
  }
}

function setDraws(sequence: i32, head: i32): void {
  const state = siteState(intAt(rng, 0), intAt(rng, 1), site);
  const globalRow = (intAt(rng, 2) + sequence) * maskHeads + firstHead + head;
  const row = globalRow * rowCount;
  draws0 = stir4(state, i32x4.add(i32x4.splat(row), queries0));
  draws1 = stir4(state, i32x4.add(i32x4.splat(row), queries1));
}

/** Sets dropped values of [keys][8] to zero; the caller scales the others by `kept`. */
export function dropStrip(at: usize, first: i32, end: i32): void {
  const least = i32x4.splat(threshold);
  for (let key = first; key < end; key++) {
    // `stir` mixes state and word by xor, so the key may take the place of the state.
    const keep0 = i32x4.ge_u(stir4(key, draws0), least);
    const keep1 = i32x4.ge_u(stir4(key, draws1), least);
    v128.store(at, v128.and(v128.load(at), keep0));
    v128.store(at, v128.and(v128.load(at, 16), keep1), 16);
    at += 32;
  }
}
