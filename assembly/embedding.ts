/** Embeddings: rows of tables, and the sums of gradients by row. */
import { intAt, pointerAt } from './inlined/args';
import { chunksOf, rowsOfChunk } from './rows';
import { claim } from './threads';

/**
 * y [n, d] = weight[ids] + position_weight[positions]; weight [v, d], ids [n], position_weight
 * [t, d] and positions [n] or both absent; n, d. Without positions, rows of negative ids are zeros.
 */
export function embedding(args: usize): void {
  const y = pointerAt(args, 0);
  const weight = pointerAt(args, 1);
  const ids = pointerAt(args, 2);
  const positionWeight = pointerAt(args, 3);
  const positions = pointerAt(args, 4);
  const n = intAt(args, 5);
  const d = intAt(args, 6);
  const width = (<usize>d) << 2;
  const rows = rowsOfChunk(d);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const word = (<usize>row) << 2;
      const to = y + <usize>row * width;
      const id = load<i32>(ids + word);
      const from = weight + <usize>id * width;
      if (positionWeight == 0) {
        if (id < 0) memory.fill(to, 0, width);
        else copyRow(to, from, width);
      } else {
        const position = positionWeight + <usize>load<i32>(positions + word) * width;
        addRows(to, from, position, width);
      }
    }
  }
}

/** Not memory.copy, whose calls cost more than the copy of a short row. */
function copyRow(to: usize, from: usize, width: usize): void {
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < width; at += 4) store<f32>(to + at, load<f32>(from + at));
}

function addRows(to: usize, a: usize, b: usize, width: usize): void {
  let at: usize = 0;
  for (; at + 16 <= width; at += 16) {
    v128.store(to + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
  }
  for (; at < width; at += 4) store<f32>(to + at, load<f32>(a + at) + load<f32>(b + at));
}

/** dy of the kernel in progress, and the bytes of its rows. */
let gradient: usize = 0;
let rowBytes: usize = 0;

/**
 * weight [v, d]; dy [n, d], sorted [n], starts [v + 1]; v, d, n, whether it is added to weight.
 * Row i of weight is the sum of the rows of dy that sorted[starts[i] .. starts[i + 1]) lists, in this
 * order (src/ops/embedding/segments.ts).
 */
export function embedding_gradient(args: usize): void {
  const weight = pointerAt(args, 0);
  gradient = pointerAt(args, 1);
  const sorted = pointerAt(args, 2);
  const starts = pointerAt(args, 3);
  const v = intAt(args, 4);
  const d = intAt(args, 5);
  const n = intAt(args, 6);
  const add = intAt(args, 7) != 0;
  rowBytes = (<usize>d) << 2;
  // All rows of weight and of dy are visited once.
  const ids = max(1, <i32>((<i64>rowsOfChunk(d) * v) / (<i64>v + n)));
  const chunks = chunksOf(v, ids);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(v, (chunk + 1) * ids);
    for (let id = chunk * ids; id < end; id++) {
      const segment = starts + ((<usize>id) << 2);
      const begin = sorted + ((<usize>load<i32>(segment)) << 2);
      const last = sorted + ((<usize>load<i32>(segment, 4)) << 2);
      if (add && begin == last) continue;
      const to = weight + <usize>id * rowBytes;
      if (!add) memory.fill(to, 0, rowBytes);
      addSegment(to, begin, last);
    }
  }
}

/** Adds the rows that [begin, last) lists, 16 columns at a time. */
function addSegment(to: usize, begin: usize, last: usize): void {
  const width = rowBytes;
  const dy = gradient;
  let at: usize = 0;
  for (; at + 64 <= width; at += 64) {
    const sum = to + at;
    let a = v128.load(sum);
    let b = v128.load(sum, 16);
    let c = v128.load(sum, 32);
    let d = v128.load(sum, 48);
    for (let p = begin; p < last; p += 4) {
      const row = dy + <usize>load<i32>(p) * width + at;
      a = f32x4.add(a, v128.load(row));
      b = f32x4.add(b, v128.load(row, 16));
      c = f32x4.add(c, v128.load(row, 32));
      d = f32x4.add(d, v128.load(row, 48));
    }
    v128.store(sum, a);
    v128.store(sum, b, 16);
    v128.store(sum, c, 32);
    v128.store(sum, d, 48);
  }
  for (; at + 16 <= width; at += 16) {
    let sum = v128.load(to + at);
    for (let p = begin; p < last; p += 4) {
      sum = f32x4.add(sum, v128.load(dy + <usize>load<i32>(p) * width + at));
    }
    v128.store(to + at, sum);
  }
  for (; at < width; at += 4) {
    let sum = load<f32>(to + at);
    for (let p = begin; p < last; p += 4) {
      sum += load<f32>(dy + <usize>load<i32>(p) * width + at);
    }
    store<f32>(to + at, sum);
  }
}
