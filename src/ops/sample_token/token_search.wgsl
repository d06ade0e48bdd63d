// The mass of all kept tokens.
fn total_mass(tid: u32) -> u32 {
  var sum = 0u;
  for (var i = tid; i < sampled(); i += N) {
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
  if (tid == 0u) { part = Part(0u, sampled(), 0u); }
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
  for (var i = tid; i < sampled(); i += N) {
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
  for (var i = tid; i < sampled(); i += N) {
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
    bracket = Bracket(0u, top_key, 0u, 0u, sampled());
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
