// Samples the next token of each row, one workgroup per row.
//
// Tokens are ordered as in the host's sampler: by logit, largest first, and by id among equal
// logits. A token's mass is its probability in units of 2^-31. Masses are integers, so their sums
// are exact and do not depend on the order in which threads add. Top-k, top-p and the draw are then
// one search each: top-k and top-p keep the tokens up to the one at which the count or the mass
// reaches a limit, and the draw chooses the kept token at which the mass passes a random share of
// the kept mass. Nothing is sorted.
const N = 256u; // threads
const BEST = 5u; // outputs per row
const NONE = 0xffffffffu;

struct Params { V: u32 }
@group(0) @binding(0) var<storage, read_write> ids: array<i32>;
@group(0) @binding(1) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> control: array<i32>;
@group(0) @binding(4) var<storage, read> progress: array<i32>;
@group(0) @binding(5) var<storage, read> options: array<f32>;
@group(0) @binding(6) var<uniform> p: Params;

// A token, and the count and mass of the tokens up to and including it.
struct Place { key: u32, id: u32, count: u32, mass: u32 }
// A range of keys that still holds the searched token: the count and mass of the tokens before the
// range, and the number of tokens inside it.
struct Bracket { low: u32, high: u32, count: u32, mass: u32, inside: u32 }
// A range of ids, and the sum before it.
struct Part { start: u32, size: u32, before: u32 }

var<workgroup> keys: array<u32, N>;
var<workgroup> indices: array<u32, N>;
var<workgroup> masses: array<u32, N>;
var<workgroup> sums: array<vec2f, N>;
// 32 bins of counts, then 32 of masses, each in 32 copies so that threads of a subgroup of 32 never
// contend for the same one.
var<workgroup> histogram: array<atomic<u32>, 2048>;
var<workgroup> bins: array<u32, 64>;
var<workgroup> best: array<u32, BEST>;
var<workgroup> bracket: Bracket;
var<workgroup> place: Place;
var<workgroup> part: Part;
var<workgroup> found: atomic<u32>;

// The row, and its likeliest token.
var<private> start: u32;
var<private> top: f32;
var<private> top_key: u32;
var<private> temperature: f32;
// Mass of the likeliest token.
var<private> scale: f32;
// A token is kept if it is not after this one and if its probability is at least `minimum` times
// that of the likeliest.
var<private> last_key: u32;
var<private> last_id: u32;
var<private> minimum: f32;

// An integer that orders like the number; -0 and 0 are equal.
fn key_of(x: f32) -> u32 {
  let bits = bitcast<u32>(select(x, 0.0, x == 0.0));
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn value_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}

fn mass_of(x: f32) -> u32 {
  let e = exp((x - top) / temperature);
  return select(0u, u32(e * scale + 0.5), e >= minimum);
}

fn kept(key: u32, id: u32) -> bool {
  return key > last_key || (key == last_key && id <= last_id);
}

// The upper 32 bits of a * b.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let middle = a1 * b0 + ((a0 * b0) >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + (middle >> 16u) + (other >> 16u);
}

// `uniformBits` of sampler.ts, bit for bit.
fn uniform_bits(seed: u32, position: u32) -> u32 {
  var h = ((seed ^ 0x9e3779b9u) * 0x85ebca6bu) ^ ((position + 1u) * 0xc2b2ae35u);
  h = (h ^ (h >> 16u)) * 0x7feb352du;
  h = (h ^ (h >> 15u)) * 0x846ca68bu;
  return h ^ (h >> 16u);
}

// The mass of all kept tokens.
fn total_mass(tid: u32) -> u32 {
  var sum = 0u;
  for (var i = tid; i < p.V; i += N) {
    let x = logits[start + i];
    if (kept(key_of(x), i)) { sum += mass_of(x); }
  }
  workgroupBarrier();
  masses[tid] = sum;
  workgroupBarrier();
  for (var width = N / 2u; width > 0u; width >>= 1u) {
    if (tid < width) { masses[tid] += masses[tid + width]; }
    workgroupBarrier();
  }
  return masses[0];
}

// The kept token at which the running sum, in the order of ids, passes `target_sum`. It is the sum
// of the masses of all kept tokens or, if `by_count`, the count of those whose key is `key`.
fn nth(by_count: bool, key: u32, target_sum: u32, tid: u32) -> u32 {
  workgroupBarrier();
  if (tid == 0u) { part = Part(0u, p.V, 0u); }
  // Each round leaves one 256th of the ids. The bound ends the loop if a logit is NaN.
  for (var round = 0u; round < 4u; round++) {
    let r = workgroupUniformLoad(&part);
    let size = (r.size + N - 1u) / N;
    let first = min(tid * size, r.size);
    let end = min(first + size, r.size);
    var sum = 0u;
    for (var i = r.start + first; i < r.start + end; i++) {
      let x = logits[start + i];
      let k = key_of(x);
      if (kept(k, i)) {
        if (!by_count) { sum += mass_of(x); } else if (k == key) { sum++; }
      }
    }
    masses[tid] = sum;
    workgroupBarrier();
    var before = r.before;
    for (var t = 0u; t < tid; t++) { before += masses[t]; }
    if (before <= target_sum && target_sum - before < sum) {
      part = Part(r.start + first, end - first, before);
    }
  }
  return workgroupUniformLoad(&part).start;
}

// One round of `search`: counts the tokens of bracket `b` in 32 bins of keys, and narrows `bracket`
// to the bin at which the count or the mass passes `target_sum`.
fn narrow(b: Bracket, by_count: bool, target_sum: u32, tid: u32) {
  let shift = max(32u - countLeadingZeros(b.high - b.low), 5u) - 5u;
  for (var i = tid; i < 2048u; i += N) { atomicStore(&histogram[i], 0u); }
  workgroupBarrier();
  for (var i = tid; i < p.V; i += N) {
    let x = logits[start + i];
    let k = key_of(x);
    if (k >= b.low && k <= b.high && kept(k, i)) {
      let bin = ((b.high - k) >> shift) * 32u + tid % 32u;
      atomicAdd(&histogram[bin], 1u);
      atomicAdd(&histogram[1024u + bin], mass_of(x));
    }
  }
  workgroupBarrier();
  if (tid < 64u) {
    var sum = 0u;
    for (var c = 0u; c < 32u; c++) { sum += atomicLoad(&histogram[tid * 32u + (c + tid) % 32u]); }
    bins[tid] = sum;
  }
  workgroupBarrier();
  if (tid == 0u) {
    var count = b.count;
    var mass = b.mass;
    var bin = 0u;
    while (
      bin < 31u && select(mass + bins[32u + bin], count + bins[bin], by_count) <= target_sum
    ) {
      count += bins[bin];
      mass += bins[32u + bin];
      bin++;
    }
    let high = b.high - (bin << shift);
    let below = (1u << shift) - 1u;
    let low = select(b.low, high - below, high - b.low > below);
    bracket = Bracket(low, high, count, mass, bins[bin]);
  }
}

// The end of `search` for a bracket of at most N tokens: ranks them against one another.
fn rank_tokens(b: Bracket, by_count: bool, target_sum: u32, tid: u32) {
  if (tid == 0u) { atomicStore(&found, 0u); }
  workgroupBarrier();
  for (var i = tid; i < p.V; i += N) {
    let x = logits[start + i];
    let k = key_of(x);
    if (k >= b.low && k <= b.high && kept(k, i)) {
      let n = min(atomicAdd(&found, 1u), N - 1u);
      keys[n] = k;
      indices[n] = i;
      masses[n] = mass_of(x);
    }
  }
  workgroupBarrier();
  let n = min(atomicLoad(&found), N);
  if (tid < n) {
    let k = keys[tid];
    let id = indices[tid];
    var count = b.count;
    var mass = b.mass;
    for (var other = 0u; other < n; other++) {
      if (keys[other] > k || (keys[other] == k && indices[other] < id)) {
        count++;
        mass += masses[other];
      }
    }
    let mass_passes = mass <= target_sum && target_sum - mass < masses[tid];
    if (select(mass_passes, count == target_sum, by_count)) {
      place = Place(k, id, count + 1u, mass + masses[tid]);
    }
  }
}

// The end of `search` for a bracket of more than N tokens: they have one key, and so one mass.
fn place_among_equals(b: Bracket, by_count: bool, target_sum: u32, tid: u32) {
  let each = mass_of(value_of(b.high));
  let n = select((target_sum - b.mass) / max(each, 1u), target_sum - b.count, by_count);
  let id = nth(true, b.high, n, tid);
  if (tid == 0u) { place = Place(b.high, id, b.count + n + 1u, b.mass + (n + 1u) * each); }
}

// The kept token at which the running count or mass, in the order of tokens, passes `target_sum`.
fn search(by_count: bool, target_sum: u32, tid: u32) -> Place {
  workgroupBarrier();
  if (tid == 0u) {
    bracket = Bracket(0u, top_key, 0u, 0u, p.V);
    place = Place();
  }
  for (var round = 0u; round < 8u; round++) {
    let b = workgroupUniformLoad(&bracket);
    if (b.inside <= N || b.low == b.high) { break; }
    narrow(b, by_count, target_sum, tid);
  }
  let b = workgroupUniformLoad(&bracket);
  if (b.inside <= N) {
    rank_tokens(b, by_count, target_sum, tid);
  } else {
    place_among_equals(b, by_count, target_sum, tid);
  }
  return workgroupUniformLoad(&place);
}

fn better(key: u32, id: u32, than_key: u32, than_id: u32) -> bool {
  return key > than_key || (key == than_key && id < than_id);
}

// Writes the likeliest tokens to `best`, best first. Each thread keeps its own; then BEST rounds
// take the best one of all threads.
fn find_best(tid: u32) {
  var own_keys: array<u32, BEST>;
  var own_ids: array<u32, BEST>;
  for (var j = 0u; j < BEST; j++) { own_ids[j] = NONE; }
  for (var i = tid; i < p.V; i += N) {
    var k = key_of(logits[start + i]);
    var id = i;
    if (k > own_keys[BEST - 1u]) {
      for (var j = 0u; j < BEST; j++) {
        if (k > own_keys[j]) {
          let key = own_keys[j];
          let other = own_ids[j];
          own_keys[j] = k;
          own_ids[j] = id;
          k = key;
          id = other;
        }
      }
    }
  }
  for (var round = 0u; round < BEST; round++) {
    keys[tid] = own_keys[0];
    indices[tid] = own_ids[0];
    workgroupBarrier();
    for (var width = N / 2u; width > 0u; width >>= 1u) {
      if (
        tid < width && better(keys[tid + width], indices[tid + width], keys[tid], indices[tid])
      ) {
        keys[tid] = keys[tid + width];
        indices[tid] = indices[tid + width];
      }
      workgroupBarrier();
    }
    let winner = indices[0];
    if (tid == 0u) { best[round] = winner; }
    if (own_ids[0] == winner) {
      for (var j = 0u; j + 1u < BEST; j++) {
        own_keys[j] = own_keys[j + 1u];
        own_ids[j] = own_ids[j + 1u];
      }
      own_keys[BEST - 1u] = 0u;
      own_ids[BEST - 1u] = NONE;
    }
    workgroupBarrier();
  }
}

// The sums over the row of exp(x - top) and of exp((x - top) / temperature), in a fixed order.
fn exponentials(tid: u32) -> vec2f {
  var sum = vec2f();
  for (var i = tid; i < p.V; i += N) {
    let d = logits[start + i] - top;
    sum += vec2f(exp(d), exp(d / temperature));
  }
  sums[tid] = sum;
  workgroupBarrier();
  for (var width = N / 2u; width > 0u; width >>= 1u) {
    if (tid < width) { sums[tid] += sums[tid + width]; }
    workgroupBarrier();
  }
  return sums[0];
}

// Applies top-k, top-p and min-p, then draws a token.
fn draw(row: u32, tid: u32) -> u32 {
  let top_k = u32(options[1]);
  let top_p = options[2];
  let min_p = options[3];
  last_key = 0u;
  last_id = NONE;
  minimum = 0.0;
  var mass: u32;
  if (top_k > 0u && top_k < p.V) {
    let end = search(true, top_k - 1u, tid);
    last_key = end.key;
    last_id = end.id;
    mass = end.mass;
  } else {
    mass = total_mass(tid);
  }
  if (top_p < 1.0) {
    let limit = clamp(u32(ceil(top_p * f32(mass))), 1u, max(mass, 1u));
    let end = search(false, limit - 1u, tid);
    last_key = end.key;
    last_id = end.id;
    mass = end.mass;
  }
  if (min_p > 0.0) {
    minimum = min_p;
    mass = total_mass(tid);
  }
  let drawn = multiply_high(uniform_bits(u32(control[3u * row]), u32(progress[2u * row])), mass);
  if (top_k > 0u || top_p < 1.0) { return search(false, drawn, tid).id; }
  return nth(false, 0u, drawn, tid);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let row = wg.x;
  start = row * p.V;
  find_best(tid);
  top = logits[start + best[0]];
  top_key = key_of(top);
  let greedy = options[0] <= 0.0;
  temperature = select(options[0], 1.0, greedy);
  let sum = exponentials(tid);
  scale = 2147483648.0 / sum.y;
  var chosen = best[0];
  if (!greedy) { chosen = draw(row, tid); }
  if (tid == 0u) {
    let to = row * BEST;
    ids[to] = i32(chosen);
    probabilities[to] = exp(logits[start + chosen] - top) / sum.x;
    var next = 1u;
    for (var j = 0u; j < BEST && next < BEST; j++) {
      let id = best[j];
      if (id == chosen) { continue; }
      ids[to + next] = select(i32(id), -1, id == NONE);
      probabilities[to + next] = select(
        exp(logits[start + min(id, p.V - 1u)] - top) / sum.x, 0.0, id == NONE
      );
      next++;
    }
  }
}
