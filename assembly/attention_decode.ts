/**
 * Attention of one new token per sequence over a KV cache, which it extends. A chunk computes the
 * query heads that share a key head; where those are few and caches long, over a part of the keys,
 * and the parts are then combined in their order.
 */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { fma, larger, maximumOf, splat, sumOf, sumsOfFour } from './inlined/simd';
import { softmaxTerm, softmaxTerm4 } from './inlined/exponentials';
import { chunksOf } from './rows';
import { barrier, claim, scratch } from './threads';

let queryHeads: i32 = 0;
let keyHeads: i32 = 0;
let headBytes: usize = 0;
let cacheRows: i32 = 0;
let window: i32 = 0;
let scale: f32 = 0;
/** Keys of a part. */
let partKeys: i32 = 0;
let parts: i32 = 0;

let output: usize = 0;
let partials: usize = 0;
let cache: usize = 0;
let packed: usize = 0;
let positions: usize = 0;

/**
 * y [sequences, n_head head_dim], cache [sequences cache_rows, 2 n_kv_head head_dim], qkv
 * [sequences, (n_head + 2 n_kv_head) head_dim], positions int32 [sequences]; sequences, query heads,
 * key heads, head_dim, cache_rows, window, scale, keys of a part (all of them).
 */
export function attention_decode(args: usize): void {
  output = pointerAt(args, 0);
  partials = 0;
  decode(args + 4);
}

/**
 * The same in several parts; the second argument is partials [sequences, n_head, parts, head_dim + 2]:
 * the weighted values, the sum of the weights, and the largest score.
 */
export function attention_decode_parts(args: usize): void {
  output = pointerAt(args, 0);
  partials = pointerAt(args, 1);
  decode(args + 8);
  barrier();
  const heads = intAt(args, 5) * queryHeads;
  for (let head = claim(); head < heads; head = claim()) combineParts(head);
}

function decode(args: usize): void {
  cache = pointerAt(args, 0);
  packed = pointerAt(args, 1);
  positions = pointerAt(args, 2);
  const sequences = intAt(args, 3);
  queryHeads = intAt(args, 4);
  keyHeads = intAt(args, 5);
  headBytes = (<usize>intAt(args, 6)) << 2;
  cacheRows = intAt(args, 7);
  window = intAt(args, 8);
  scale = floatAt(args, 9);
  partKeys = intAt(args, 10);
  parts = chunksOf(cacheRows, partKeys);
  const chunks = sequences * keyHeads * parts;
  for (let chunk = claim(); chunk < chunks; chunk = claim())
    decodePart(chunk / parts, chunk % parts);
}

/** Addresses of the keys and of the values of a key head, and the distance of their rows. */
let keys: usize = 0;
let values: usize = 0;
let keyStride: usize = 0;

/** Attention of the query heads of a key head (counted over all sequences) to a part of the keys. */
function decodePart(head: i32, part: i32): void {
  const sequence = head / keyHeads;
  const keyHead = head % keyHeads;
  const position = load<i32>(positions + ((<usize>sequence) << 2));
  keyStride = (headBytes << 1) * <usize>keyHeads;
  keys = cache + <usize>(sequence * cacheRows) * keyStride + <usize>keyHead * headBytes;
  values = keys + headBytes * <usize>keyHeads;
  const rowOfHead = packed + headBytes * <usize>(sequence * (queryHeads + 2 * keyHeads));
  if (position / partKeys == part && position < cacheRows) {
    const newKey = rowOfHead + headBytes * <usize>(queryHeads + keyHead);
    const offset = <usize>position * keyStride;
    memory.copy(keys + offset, newKey, headBytes);
    memory.copy(values + offset, newKey + headBytes * <usize>keyHeads, headBytes);
  }
  const seenEnd = min(position + 1, cacheRows);
  const seenFirst = window > 0 ? max(0, seenEnd - window) : 0;
  const first = max(seenFirst, part * partKeys);
  const end = max(first, min(seenEnd, (part + 1) * partKeys));
  const group = queryHeads / keyHeads;
  for (let h = keyHead * group; h < (keyHead + 1) * group; h++) {
    scaleQuery(rowOfHead + headBytes * <usize>h);
    const row = sequence * queryHeads + h;
    const target = partials
      ? partials + (headBytes + 8) * <usize>(row * parts + part)
      : output + headBytes * <usize>row;
    attend(first, end - first, target);
  }
}

/** Scratch memory: the query, scaled, and then the weights of the keys. */
function scaleQuery(query: usize): void {
  const target = scratch();
  for (let at: usize = 0; at < headBytes; at += 4)
    store<f32>(target + at, load<f32>(query + at) * scale);
}

/** Attends to `count` keys from `first` on, and writes y, or what `combineParts` needs. */
function attend(first: i32, count: i32, target: usize): void {
  const weights = (scratch() + headBytes + 15) & ~15;
  const offset = <usize>first * keyStride;
  scoreKeys(keys + offset, count, weights);
  const end = weights + ((<usize>((count + 3) & ~3)) << 2);
  let largest = splat(LEAST);
  for (let at = weights; at < end; at += 16) largest = larger(v128.load(at), largest);
  const top = maximumOf(largest);
  const tops = splat(top);
  let totals = splat(0);
  for (let at = weights; at < end; at += 16) {
    const weight = softmaxTerm4(f32x4.sub(v128.load(at), tops));
    totals = f32x4.add(totals, weight);
    v128.store(at, weight);
  }
  const total = sumOf(totals);
  addValues(values + offset, count, weights, target);
  if (partials) {
    store<f32>(target + headBytes, total);
    store<f32>(target + headBytes, top, 4);
  } else {
    const factor = <f32>1 / total;
    for (let at: usize = 0; at < headBytes; at += 4)
      store<f32>(target + at, load<f32>(target + at) * factor);
  }
}

/** Below every score. */
const LEAST: f32 = -1e30;
/** The score of a key that does not exist: far below `LEAST`, so that its weight is zero. */
const MASKED: f32 = -3e38;

/** Scores of `count` keys, and masked ones up to a multiple of four. */
function scoreKeys(key: usize, count: i32, target: usize): void {
  const query = scratch();
  const last = key + <usize>(count - 1) * keyStride;
  const body = headBytes & ~15;
  let n = 0;
  for (; n < count; n += 4) {
    const key1 = min(key + keyStride, last);
    const key2 = min(key1 + keyStride, last);
    const key3 = min(key2 + keyStride, last);
    let s0 = splat(0);
    let s1 = splat(0);
    let s2 = splat(0);
    let s3 = splat(0);
    let at: usize = 0;
    for (; at < body; at += 16) {
      const q = v128.load(query + at);
      s0 = fma(q, v128.load(key + at), s0);
      s1 = fma(q, v128.load(key1 + at), s1);
      s2 = fma(q, v128.load(key2 + at), s2);
      s3 = fma(q, v128.load(key3 + at), s3);
    }
    let sums = sumsOfFour(s0, s1, s2, s3);
    for (; at < headBytes; at += 4) {
      let k = splat(load<f32>(key + at));
      k = f32x4.replace_lane(k, 1, load<f32>(key1 + at));
      k = f32x4.replace_lane(k, 2, load<f32>(key2 + at));
      k = f32x4.replace_lane(k, 3, load<f32>(key3 + at));
      sums = fma(k, v128.load32_splat(query + at), sums);
    }
    v128.store(target + ((<usize>n) << 2), sums);
    key += keyStride << 2;
  }
  for (let missing = count; missing < n; missing++)
    store<f32>(target + ((<usize>missing) << 2), MASKED);
}

/** target [head_dim] = the sum of weights x values. */
function addValues(value: usize, count: i32, weights: usize, target: usize): void {
  const end = weights + ((<usize>count) << 2);
  const body = headBytes & ~63;
  let column: usize = 0;
  for (; column < body; column += 64) {
    let y0 = splat(0);
    let y1 = splat(0);
    let y2 = splat(0);
    let y3 = splat(0);
    let row = value + column;
    for (let at = weights; at < end; at += 4) {
      const weight = v128.load32_splat(at);
      y0 = fma(weight, v128.load(row), y0);
      y1 = fma(weight, v128.load(row, 16), y1);
      y2 = fma(weight, v128.load(row, 32), y2);
      y3 = fma(weight, v128.load(row, 48), y3);
      row += keyStride;
    }
    v128.store(target + column, y0);
    v128.store(target + column, y1, 16);
    v128.store(target + column, y2, 32);
    v128.store(target + column, y3, 48);
  }
  for (; column < (headBytes & ~15); column += 16) {
    let y = splat(0);
    let row = value + column;
    for (let at = weights; at < end; at += 4) {
      y = fma(v128.load32_splat(at), v128.load(row), y);
      row += keyStride;
    }
    v128.store(target + column, y);
  }
  for (; column < headBytes; column += 4) {
    let sum: f32 = 0;
    let row = value + column;
    for (let at = weights; at < end; at += 4) {
      sum += load<f32>(at) * load<f32>(row);
      row += keyStride;
    }
    store<f32>(target + column, sum);
  }
}

/** Adds up the parts of a query head, each relative to the largest score of all. */
function combineParts(head: i32): void {
  const stride = headBytes + 8;
  const from = partials + <usize>(head * parts) * stride;
  const target = output + headBytes * <usize>head;
  let top = LEAST;
  for (let part = 0; part < parts; part++)
    top = max(top, load<f32>(from + <usize>part * stride + headBytes, 4));
  let total: f32 = 0;
  memory.fill(target, 0, headBytes);
  for (let part = 0; part < parts; part++) {
    const row = from + <usize>part * stride;
    const weight = softmaxTerm(load<f32>(row + headBytes, 4) - top);
    total += weight * load<f32>(row + headBytes);
    for (let at: usize = 0; at < headBytes; at += 4)
      store<f32>(target + at, load<f32>(target + at) + weight * load<f32>(row + at));
  }
  const factor = <f32>1 / total;
  for (let at: usize = 0; at < headBytes; at += 4)
    store<f32>(target + at, load<f32>(target + at) * factor);
}
