// After wgsl/units.ts: a thread takes a unit of the logits, of which a row has `units`; the first
// column is the token `first` of the vocabulary. dloss (softmax(logits) - one_hot(target)), written
// over the logits; the one-hot is a comparison, of columns since `first` (a target before it wraps
// around, and is none of them).
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
  let hit = select(
    Unit(0.0),
    Unit(1.0),
    columns_of(i - row * p.units) == Columns(u32(targets[row]) - p.first)
  );
  logits[i] = put_logits(dloss[row] * (exp(get_logits(logits[i]) - lse[row]) - hit));
}
