@group(0) @binding(0) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> momentum_buffer: array<f32>;
@group(0) @binding(3) var<storage, read> norm: array<f32>;
@group(0) @binding(4) var<storage, read> inverse_scale: array<f32>;
@group(0) @binding(5) var<storage, read> scalars: array<f32>;
struct Params {
  n: u32, decayed: u32, coupled: u32, max_norm: f32, weight_decay: f32, momentum: f32
}
@group(0) @binding(6) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.n) { return; }
  let value = parameter[i];
  let decay = select(0.0, p.weight_decay * value, i < p.decayed);
  let inverse = inverse_scale[0];
  var g = gradient[i] * inverse;
  gradient[i] = 0.0;
  if (inverse == 0.0) { return; }
  if (p.max_norm > 0.0) { g *= min(1.0, p.max_norm / (norm[0] + 1e-6)); }
  if (p.coupled == 1u) { g += decay; }
  let b = p.momentum * momentum_buffer[i] + g;
  var u = b;
  if (p.coupled == 0u) { u += decay; }
  parameter[i] = value - scalars[0] * u;
  momentum_buffer[i] = b;
}
