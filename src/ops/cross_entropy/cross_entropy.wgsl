// After wgsl/units.ts and what kernels.ts says over a unit. One workgroup a row, one pass over it: each thread keeps the largest logit that it has seen, where that was, and the sum
// of exponentials about it (Milakov and Gimelshein 2018, online softmax); then the threads' triples are merged in a tree.
override WORKGROUP: u32 = 64u;
@group(0) @binding(0) var<storage, read_write> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<storage, read_write> probability: array<f32>;
@group(0) @binding(3) var<storage, read_write> correct: array<f32>;
@group(0) @binding(4) var<storage, read> logits: array<logits_stored>;
@group(0) @binding(5) var<storage, read> targets: array<i32>;
struct Params { n: u32, vocab_size: u32, units: u32 }
@group(0) @binding(6) var<uniform> p: Params;

const LOWEST = -3.4e38;
struct Seen { largest: f32, sum: f32, at: u32 }
var<workgroup> seen: array<Seen, WORKGROUP>;

fn merged(a: Seen, b: Seen) -> Seen {
  let largest = max(a.largest, b.largest);
  let sum = a.sum * exp(a.largest - largest) + b.sum * exp(b.largest - largest);
  let takes_b = b.largest > a.largest || (b.largest == a.largest && b.at < a.at);
  return Seen(largest, sum, select(a.at, b.at, takes_b));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = w.y * count.x + w.x;
  if (row >= p.n) { return; }
  let start = row * p.units;
  var own = Seen(LOWEST, 0.0, 0xffffffffu);
  for (var j = l; j < p.units; j += WORKGROUP) {
    let x = get_logits(logits[start + j]);
    let top = largest_of(x);
    if (top > own.largest) { own = Seen(top, own.sum * exp(own.largest - top), WIDTH * j + first_equal(x, top)); }
    own.sum += sum_of(exp(x - own.largest));
  }
  seen[l] = own;
  workgroupBarrier();
  for (var width = WORKGROUP / 2u; width > 0u; width >>= 1u) {
    if (l < width) { seen[l] = merged(seen[l], seen[l + width]); }
    workgroupBarrier();
  }
  if (l == 0u) {
    let row_seen = seen[0];
    let target_id = u32(targets[row]);
    let log_sum = log(row_seen.sum);
    let row_loss = log_sum + (row_seen.largest - logit_at(start, target_id));
    loss[row] = row_loss;
    lse[row] = row_seen.largest + log_sum;
    probability[row] = exp(-row_loss);
    correct[row] = select(0.0, 1.0, row_seen.at == target_id);
  }
}
