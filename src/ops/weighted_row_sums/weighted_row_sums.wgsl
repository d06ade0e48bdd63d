// After wgsl/workgroup_sum.wgsl. One workgroup per row; the order of the sum is fixed.
override ADD: bool = false;
struct Params { n: u32, rows: u32 }
@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let row = w.y * count.x + w.x;
  if (row >= p.rows) { return; }
  var part = 0.0;
  for (var i = l; i < p.n; i += WORKGROUP) { part += weights[i] * x[row * p.n + i]; }
  let total = workgroup_sum(vec2f(part, 0.0), l).x;
  if (l == 0u) {
    if (ADD) { sums[row] += total; } else { sums[row] = total; }
  }
}
