// After activation/activation.wgsl. Both halves of dx [n, 2 f] from one value of dy [n, f].
@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
struct Params { size: u32, f: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let gate = i + (i / p.f) * p.f;
  let g = dy[i];
  let u = x[gate];
  dx[gate] = g * x[gate + p.f] * derivative_at(u);
  dx[gate + p.f] = g * value_at(u);
}
