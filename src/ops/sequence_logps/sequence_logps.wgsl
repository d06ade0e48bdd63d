// After wgsl/workgroup_sum.wgsl. One workgroup per sequence; the order of the sum is fixed.
@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> counts: array<f32>;
@group(0) @binding(2) var<storage, read> logps: array<f32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
struct Params { B: u32, T: u32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let b = w.y * count.x + w.x;
  if (b >= p.B) { return; }
  var part = vec2f();
  for (var t = l; t < p.T; t += WORKGROUP) {
    let weight = weights[b * p.T + t];
    // The logit of a masked token may overflow: 0 times infinity is not a number.
    if (weight != 0.0) { part += vec2f(weight * logps[b * p.T + t], weight); }
  }
  let total = workgroup_sum(part, l);
  if (l == 0u) { sums[b] = total.x; counts[b] = total.y; }
}
