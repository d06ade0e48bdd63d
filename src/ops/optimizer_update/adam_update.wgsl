@group(0) @binding(0) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> exp_avg: array<f32>;
@group(0) @binding(3) var<storage, read_write> exp_avg_sq: array<f32>;
@group(0) @binding(4) var<storage, read> norm: array<f32>;
@group(0) @binding(5) var<storage, read> inverse_scale: array<f32>;
@group(0) @binding(6) var<storage, read> scalars: array<f32>;
struct Params {
  n: u32, decayed: u32, coupled: u32, max_norm: f32, weight_decay: f32,
  beta1: f32, rest1: f32, beta2: f32, rest2: f32, epsilon: f32,
}
@group(0) @binding(7) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.n) { return; }
  // Everything is read before anything is written, scalars too: a load after a store waits for it (the buffers might be one).
  let rate = scalars[0];
  let value = parameter[i];
  let raw = gradient[i];
  let m_before = exp_avg[i];
  let v_before = exp_avg_sq[i];
  let inverse = inverse_scale[0];
  let decay = select(0.0, p.weight_decay * value, i < p.decayed);
  var g = raw * inverse;
  if (p.max_norm > 0.0) { g *= min(1.0, p.max_norm / (norm[0] + 1e-6)); }
  if (p.coupled == 1u) { g += decay; }
  let m = p.beta1 * m_before + p.rest1 * g;
  let v = p.beta2 * v_before + p.rest2 * g * g;
  var u = (m / scalars[2]) / (sqrt(v) / scalars[3] + p.epsilon);
  if (p.coupled == 0u) { u += decay; }
  gradient[i] = 0.0;
  if (inverse != 0.0) {
    parameter[i] = value - rate * u;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
  }
}
