// After wgsl/workgroup_sum.wgsl. One workgroup a row.
override BIAS: bool = true;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> rstd: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
struct Params { n: u32, d: u32, eps: f32 }
@group(0) @binding(6) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  let row = w.y * count.x + w.x;
  if (row >= p.n) { return; }
  let start = row * p.d;
  var sum = 0.0;
  for (var j = l; j < p.d; j += WORKGROUP) { sum += x[start + j]; }
  let m = workgroup_sum(vec2f(sum, 0.0), l).x / f32(p.d);
  var squares = 0.0;
  for (var j = l; j < p.d; j += WORKGROUP) {
    let c = x[start + j] - m;
    squares += c * c;
  }
  let r = inverseSqrt(workgroup_sum(vec2f(squares, 0.0), l).x / f32(p.d) + p.eps);
  for (var j = l; j < p.d; j += WORKGROUP) {
    var value = (x[start + j] - m) * r * weight[j];
    if (BIAS) { value += bias[j]; }
    y[start + j] = value;
  }
  if (l == 0u) {
    mean[row] = m;
    rstd[row] = r;
  }
}
