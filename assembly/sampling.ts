/**
 * Sampling of the next token. The same choices as the host's
 * sampler (src/ops/sample_token/sampler.ts): weights are float64 as there, and tokens are ordered by
 * logit, then by id. The two differ only if a draw falls within about 1e-8 of a border, because
 * the options are float32 here.
 */
import { exponential } from './exponential';
import { intAt, pointerAt } from './inlined/args';
import { uniformAt } from './inlined/random';
import { exp4, splat, sumOf } from './inlined/simd';
import { loadUpTo4 } from './inlined/lanes';
import { CONTROL_COLUMNS, PROGRESS_COLUMNS, REPORTED } from './sampling_columns';
import { claim, scratch } from './threads';

/** The row that this thread samples: its logits [count], of which the largest is `top`. */
let logits: usize = 0;
let count: i32 = 0;
let top: f32 = 0;
/** e^((logit - top) / temperature), float64 [count], in the thread's scratch memory. */
let weights: usize = 0;
/**
 * The ids [count]: a heap of the first `heapSize`, with the likeliest token first, then the tokens
 * that have left it, the likeliest one last.
 */
let heap: usize = 0;
let heapSize: i32 = 0;

function logitOf(id: i32): f32 {
  return load<f32>(logits + ((<usize>id) << 2));
}

function weightOf(id: i32): f64 {
  return load<f64>(weights + ((<usize>id) << 3));
}

function heapAt(index: i32): i32 {
  return load<i32>(heap + ((<usize>index) << 2));
}

function setHeap(index: i32, id: i32): void {
  store<i32>(heap + ((<usize>index) << 2), id);
}

/** Whether token `a` comes before `b`: by logit, largest first, and by id among equal logits. */
function comesBefore(a: i32, b: i32): bool {
  const x = logitOf(a);
  const y = logitOf(b);
  return x > y || (x == y && a < b);
}

/** Fills `weights` at this temperature. Returns their sum, in the order of ids. */
function weigh(temperature: f64): f64 {
  const divisor = f64x2.splat(temperature);
  const largest = f64x2.splat(<f64>top);
  let sum: f64 = 0;
  let id = 0;
  for (; id + 2 <= count; id += 2) {
    const two = f64x2.promote_low_f32x4(v128.load64_zero(logits + ((<usize>id) << 2)));
    const weight = exponential(f64x2.div(f64x2.sub(two, largest), divisor));
    v128.store(weights + ((<usize>id) << 3), weight);
    sum += f64x2.extract_lane(weight, 0);
    sum += f64x2.extract_lane(weight, 1);
  }
  if (id == count) return sum;
  const difference = f64x2.splat((<f64>logitOf(id) - <f64>top) / temperature);
  const last = f64x2.extract_lane(exponential(difference), 0);
  store<f64>(weights + ((<usize>id) << 3), last);
  return sum + last;
}

/** The sum of e^(logit - top) in float32, where only reported probabilities depend on it. */
function partition(): f64 {
  const largest = splat(top);
  let sum = splat(0);
  let id = 0;
  for (; id + 4 <= count; id += 4) {
    const four = v128.load(logits + ((<usize>id) << 2));
    sum = f32x4.add(sum, exp4(f32x4.sub(four, largest)));
  }
  let rest: f64 = 0;
  for (; id < count; id++) rest += probabilityOf(id, 1);
  return <f64>sumOf(sum) + rest;
}

/** e^(logit - top) / sum. */
function probabilityOf(id: i32, sum: f64): f64 {
  const difference = f64x2.splat(<f64>logitOf(id) - <f64>top);
  return f64x2.extract_lane(exponential(difference), 0) / sum;
}

/** Writes the ids of the `REPORTED` likeliest tokens, best first; -1 where there are fewer. */
function findLikeliest(best: usize): void {
  memory.fill(best, 0xff, REPORTED << 2);
  let found = 0;
  let least = splat(-Infinity);
  for (let i = 0; i < count; i += 4) {
    const four = loadUpTo4(logits + ((<usize>i) << 2), count - i);
    if (found == REPORTED && !v128.any_true(f32x4.gt(four, least))) continue;
    for (let id = i; id < min(count, i + 4); id++) {
      let place = found;
      while (place > 0 && logitOf(id) > logitOf(load<i32>(best + ((<usize>place - 1) << 2))))
        place--;
      if (place == REPORTED) continue;
      if (found < REPORTED) found++;
      const to = best + ((<usize>place) << 2);
      memory.copy(to + 4, to, (<usize>(found - 1 - place)) << 2);
      store<i32>(to, id);
    }
    if (found == REPORTED) least = splat(logitOf(load<i32>(best, (REPORTED - 1) << 2)));
  }
}

/** Makes a heap of all tokens. */
function fillHeap(): void {
  for (let id = 0; id < count; id++) setHeap(id, id);
  heapSize = count;
  for (let index = (count >> 1) - 1; index >= 0; index--) sink(index);
}

/** Moves the token at `index` down until no token below it comes before it. */
function sink(index: i32): void {
  const id = heapAt(index);
  let place = index;
  while (true) {
    let child = 2 * place + 1;
    if (child >= heapSize) break;
    if (child + 1 < heapSize && comesBefore(heapAt(child + 1), heapAt(child))) child++;
    if (!comesBefore(heapAt(child), id)) break;
    setHeap(place, heapAt(child));
    place = child;
  }
  setHeap(place, id);
}

/** The token of this rank, 0 for the likeliest. Takes from the heap only what it has to. */
function ranked(rank: i32): i32 {
  const place = count - 1 - rank;
  while (heapSize > place) {
    heapSize--;
    const likeliest = heapAt(0);
    setHeap(0, heapAt(heapSize));
    sink(0);
    setHeap(heapSize, likeliest);
  }
  return heapAt(place);
}

/** Draws among all tokens whose weight is at least `least`, in the order of ids. */
function drawFromAll(sum: f64, least: f64, draw: f64): i32 {
  let total = sum;
  if (least > 0) {
    total = 0;
    for (let id = 0; id < count; id++) if (weightOf(id) >= least) total += weightOf(id);
  }
  let rest = draw * total;
  let last = 0;
  for (let id = 0; id < count; id++) {
    const weight = weightOf(id);
    if (weight < least) continue;
    rest -= weight;
    if (rest < 0) return id;
    last = id;
  }
  // Rounding can leave a rest of about 0 after the last token.
  return last;
}

/** How many of the `kept` likeliest tokens reach the share `top_p` of their sum; at least one. */
function countOfTopP(kept: i32, sum: f64, top_p: f64): i32 {
  let before: f64 = 0;
  for (let rank = 0; rank < kept; rank++) {
    before += weightOf(ranked(rank));
    if (before >= top_p * sum) return rank + 1;
  }
  return kept;
}

/** Draws among the tokens that top-k, top-p and min-p leave, the likeliest first. */
function drawFromLikeliest(sum: f64, options: usize, draw: f64): i32 {
  const top_k = <i32>load<f32>(options, 4);
  const top_p = <f64>load<f32>(options, 8);
  const min_p = <f64>load<f32>(options, 12);
  fillHeap();
  let kept = count;
  let total = sum;
  if (top_k > 0 && top_k < count) {
    kept = top_k;
    total = sumOfRanks(kept);
  }
  if (top_p < 1) {
    kept = countOfTopP(kept, total, top_p);
    total = sumOfRanks(kept);
  }
  if (min_p > 0) {
    let likely = 0;
    while (likely < kept && weightOf(ranked(likely)) >= min_p) likely++;
    kept = likely;
    total = sumOfRanks(kept);
  }
  let rest = draw * total;
  for (let rank = 0; rank < kept; rank++) {
    const id = ranked(rank);
    rest -= weightOf(id);
    if (rest < 0) return id;
  }
  return ranked(max(0, kept - 1));
}

/** The weight of the `kept` likeliest tokens. */
function sumOfRanks(kept: i32): f64 {
  let sum: f64 = 0;
  for (let rank = 0; rank < kept; rank++) sum += weightOf(ranked(rank));
  return sum;
}

/** Writes the chosen token and the likeliest others, with their probabilities under the model. */
function report(chosen: i32, best: usize, ids: usize, probabilities: usize): void {
  const sum = partition();
  store<i32>(ids, chosen);
  store<f32>(probabilities, <f32>probabilityOf(chosen, sum));
  let next: usize = 1;
  for (let i: usize = 0; i < <usize>REPORTED && next < <usize>REPORTED; i++) {
    const id = load<i32>(best + (i << 2));
    if (id == chosen) continue;
    store<i32>(ids + (next << 2), id);
    store<f32>(probabilities + (next << 2), id < 0 ? 0 : <f32>probabilityOf(id, sum));
    next++;
  }
}

/**
 * Samples rows by temperature, top-k, top-p and min-p. Writes ids int32 and probabilities [B, 5];
 * reads logits [B, V], control int32 [B, 3], progress int32 [B, 2], options [5]; B, V. A row is one
 * thread's work and takes 12 V bytes of its scratch memory.
 */
export function sample_token(args: usize): void {
  const allLogits = pointerAt(args, 2);
  const control = pointerAt(args, 3);
  const progress = pointerAt(args, 4);
  const options = pointerAt(args, 5);
  const rows = intAt(args, 6);
  const vocab_size = intAt(args, 7);
  const limit = <i32>load<f32>(options, 16);
  const temperature = <f64>load<f32>(options);
  const sorts = load<f32>(options, 4) > 0 || load<f32>(options, 8) < 1;
  const best = scratch();
  count = limit > 0 ? min(limit, vocab_size) : vocab_size;
  heap = best + 64;
  weights = heap + (((<usize>count + 1) & ~1) << 2);
  for (let row = claim(); row < rows; row = claim()) {
    logits = allLogits + ((<usize>row * <usize>vocab_size) << 2);
    findLikeliest(best);
    let chosen = load<i32>(best);
    top = logitOf(chosen);
    if (temperature > 0) {
      const sum = weigh(temperature);
      const seed = load<u32>(control + ((<usize>(CONTROL_COLUMNS * row)) << 2));
      const made = load<u32>(progress + ((<usize>(PROGRESS_COLUMNS * row)) << 2));
      const draw = uniformAt(seed, made);
      chosen = sorts
        ? drawFromLikeliest(sum, options, draw)
        : drawFromAll(sum, <f64>load<f32>(options, 12), draw);
    }
    const to = (<usize>(REPORTED * row)) << 2;
    report(chosen, best, pointerAt(args, 0) + to, pointerAt(args, 1) + to);
  }
}
