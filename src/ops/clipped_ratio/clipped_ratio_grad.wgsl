@group(0) @binding(0) var<storage, read_write> dnll: array<f32>;
@group(0) @binding(1) var<storage, read> nll: array<f32>;
@group(0) @binding(2) var<storage, read> old_logps: array<f32>;
@group(0) @binding(3) var<storage, read> ref_logps: array<f32>;
@group(0) @binding(4) var<storage, read> advantages: array<f32>;
@group(0) @binding(5) var<storage, read> weights: array<f32>;
@group(0) @binding(6) var<storage, read> dy: array<f32>;
struct Params { n: u32, low: f32, high: f32, beta: f32 }
@group(0) @binding(7) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.n) { return; }
  if (weights[i] == 0.0) {
    dnll[i] = 0.0;
    return;
  }
  let logp = -nll[i];
  let advantage = advantages[i];
  let ratio = exp(logp - old_logps[i]);
  let gain = ratio * advantage;
  let policy = select(gain, 0.0, gain > clamp(ratio, p.low, p.high) * advantage);
  var kl = 0.0;
  if (p.beta != 0.0) { kl = p.beta * (1.0 - exp(ref_logps[i] - logp)); }
  dnll[i] = dy[i] * (policy - kl);
}
