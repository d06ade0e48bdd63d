fn better(key: u32, id: u32, than_key: u32, than_id: u32) -> bool {
  return key > than_key || (key == than_key && id < than_id);
}

// Writes the likeliest tokens to `best`, best first. Each thread keeps its own; then BEST rounds
// take the best one of all threads.
fn find_best(tid: u32) {
  var own_keys: array<u32, BEST>;
  var own_ids: array<u32, BEST>;
  for (var j = 0u; j < BEST; j++) { own_ids[j] = NONE; }
  for (var i = tid; i < sampled(); i += N) {
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
  for (var i = tid; i < sampled(); i += N) {
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
  if (top_k > 0u && top_k < sampled()) {
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
