// RMSNorm's gradient of x, one workgroup per row: dx = rstd (t - h mean(t h)), where t = dy weight
// and h = x rstd. Prepend wgsl/workgroup_sum.wgsl.
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
struct Params { n: u32, d: u32 }
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let row = w.y * count.x + w.x;
  if (row >= p.n) { return; }
  let start = row * p.d;
  let r = rstd[row];
  var sum = 0.0;
  for (var j = l; j < p.d; j += WORKGROUP) { sum += dy[start + j] * weight[j] * x[start + j] * r; }
  let mean = workgroup_sum(vec2f(sum, 0.0), l).x / f32(p.d);
  for (var j = l; j < p.d; j += WORKGROUP) {
    let value = r * (dy[start + j] * weight[j] - x[start + j] * r * mean);
    if (ADD) { dx[start + j] += value; } else { dx[start + j] = value; }
  }
}
