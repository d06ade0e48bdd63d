// Overwrites the logits with their gradient, dloss (softmax(logits) - one_hot(target)). A thread
// takes one unit (wgsl/units.ts); a row has `units` of them, and its first column is token `first`.
// The one-hot is a comparison of columns relative to `first`, where a target before `first` wraps
// around and matches none.
@group(0) @binding(0) var<storage, read_write> logits: array<logits_stored>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
struct Params { size: u32, units: u32, first: u32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let row = i / p.units;
  let target_column = Columns(u32(targets[row]) - p.first);
  let hit = select(Unit(0.0), Unit(1.0), columns_of(i - row * p.units) == target_column);
  logits[i] = put_logits(dloss[row] * (exp(get_logits(logits[i]) - lse[row]) - hit));
}
