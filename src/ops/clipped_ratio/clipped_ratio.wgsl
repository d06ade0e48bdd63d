@group(0) @binding(0) var<storage, read_write> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> statistics: array<vec4f>;
@group(0) @binding(2) var<storage, read> nll: array<f32>;
@group(0) @binding(3) var<storage, read> old_logps: array<f32>;
@group(0) @binding(4) var<storage, read> ref_logps: array<f32>;
@group(0) @binding(5) var<storage, read> advantages: array<f32>;
@group(0) @binding(6) var<storage, read> weights: array<f32>;
struct Params { n: u32, low: f32, high: f32, beta: f32 }
@group(0) @binding(7) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.n) { return; }
  // A masked token may have any log-probability: 0 times infinity is not a number.
  if (weights[i] == 0.0) {
    loss[i] = 0.0;
    statistics[i] = vec4f();
    return;
  }
  let logp = -nll[i];
  let advantage = advantages[i];
  let difference = logp - old_logps[i];
  let ratio = exp(difference);
  let gain = min(ratio * advantage, clamp(ratio, p.low, p.high) * advantage);
  let to_reference = ref_logps[i] - logp;
  var kl = 0.0;
  if (p.beta != 0.0) { kl = exp(to_reference) - 1.0 - to_reference; }
  loss[i] = p.beta * kl - gain;
  statistics[i] = vec4f(
    select(0.0, 1.0, ratio < p.low && advantage < 0.0),
    select(0.0, 1.0, ratio > p.high && advantage > 0.0),
    ratio,
    0.5 * difference * difference,
  );
}
