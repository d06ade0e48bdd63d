// One step of a rollout, one workgroup per row.
//
// A token's mass is its probability in units of 2^-31: an integer, so that sums of masses are exact
// in any order. The draw takes the token at which the running sum of masses, in the order of ids,
// passes a random share of their total.
override WORKGROUP: u32 = 64u;
const NONE = 0xffffffffu;

struct Params { V: u32, slots: u32 }
@group(0) @binding(0) var<storage, read_write> ids: array<i32>;
@group(0) @binding(1) var<storage, read_write> positions: array<i32>;
@group(0) @binding(2) var<storage, read_write> progress: array<i32>;
@group(0) @binding(3) var<storage, read_write> history_ids: array<i32>;
@group(0) @binding(4) var<storage, read_write> history_logps: array<f32>;
@group(0) @binding(5) var<storage, read> logits: array<f32>;
@group(0) @binding(6) var<storage, read> seeds: array<i32>;
@group(0) @binding(7) var<storage, read> options: array<f32>;
@group(0) @binding(8) var<uniform> p: Params;

// Largest logit of all tokens, and of those that may be sampled, with its id.
struct Top { all: f32, sampled: f32, id: u32 }
var<workgroup> tops: array<Top, WORKGROUP>;
var<workgroup> sums: array<vec2f, WORKGROUP>;
var<workgroup> masses: array<u32, WORKGROUP>;
var<workgroup> drawn: u32;

fn joined(a: Top, b: Top) -> Top {
  let b_first = b.sampled > a.sampled || (b.sampled == a.sampled && b.id < a.id);
  return Top(max(a.all, b.all), max(a.sampled, b.sampled), select(a.id, b.id, b_first));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let row = wg.x;
  let start = row * p.V;
  let limit = select(p.V, min(u32(options[1]), p.V), options[1] > 0.0);
  let greedy = options[0] <= 0.0;
  let temperature = select(options[0], 1.0, greedy);
  let stop = i32(options[2]);

  var own = Top(-3.4e38, -3.4e38, NONE);
  for (var i = tid; i < p.V; i += WORKGROUP) {
    let x = logits[start + i];
    own = joined(own, Top(x, select(-3.4e38, x, i < limit), select(NONE, i, i < limit)));
  }
  tops[tid] = own;
  workgroupBarrier();
  for (var width = WORKGROUP / 2u; width > 0u; width >>= 1u) {
    if (tid < width) { tops[tid] = joined(tops[tid], tops[tid + width]); }
    workgroupBarrier();
  }
  let top = tops[0];

  var sum = vec2f();
  for (var i = tid; i < p.V; i += WORKGROUP) {
    let x = logits[start + i];
    let sampled = select(0.0, exp((min(x, top.sampled) - top.sampled) / temperature), i < limit);
    sum += vec2f(exp((x - top.all) / temperature), sampled);
  }
  sums[tid] = sum;
  workgroupBarrier();
  for (var width = WORKGROUP / 2u; width > 0u; width >>= 1u) {
    if (tid < width) { sums[tid] += sums[tid + width]; }
    workgroupBarrier();
  }
  let scale = 2147483648.0 / sums[0].y;

  // Each thread has the masses of a range of ids.
  let size = (limit + WORKGROUP - 1u) / WORKGROUP;
  let first = min(tid * size, limit);
  let end = min(first + size, limit);
  var mass = 0u;
  for (var i = first; i < end; i++) {
    mass += u32(exp((logits[start + i] - top.sampled) / temperature) * scale + 0.5);
  }
  masses[tid] = mass;
  if (tid == 0u) { drawn = top.id; }
  workgroupBarrier();
  var before = 0u;
  var total = 0u;
  for (var t = 0u; t < WORKGROUP; t++) {
    if (t == tid) { before = total; }
    total += masses[t];
  }
  let index = u32(progress[2u * row]);
  let target_mass = multiply_high(uniform_bits(u32(seeds[row]), index), total);
  if (!greedy && before <= target_mass && target_mass - before < mass) {
    var running = before;
    for (var i = first; i < end; i++) {
      running += u32(exp((logits[start + i] - top.sampled) / temperature) * scale + 0.5);
      if (running > target_mass) { drawn = i; break; }
    }
  }
  workgroupBarrier();

  let left = progress[2u * row + 1u];
  if (tid != 0u || left <= 0) { return; }
  let token = i32(drawn);
  let left_after = select(left - 1, 0, token == stop);
  let slot = row * p.slots + index;
  history_ids[slot] = token;
  history_logps[slot] = (logits[start + drawn] - top.all) / temperature - log(sums[0].x);
  ids[row] = token;
  progress[2u * row] = i32(index) + 1;
  progress[2u * row + 1u] = left_after;
  if (left_after > 0) { positions[row] += 1; }
}
