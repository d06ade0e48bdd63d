// After activation.wgsl.
override BIAS: bool = true;
@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
struct Params { size: u32, d: u32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  var u = x[i];
  if (BIAS) { u += bias[i % p.d]; }
  dx[i] = dy[i] * derivative_at(u);
}
