// After shared.wgsl.
@group(0) @binding(0) var<storage, read_write> dnlls: array<f32>;
@group(0) @binding(1) var<storage, read> nlls: array<f32>;
@group(0) @binding(2) var<storage, read> ref_logps: array<f32>;
@group(0) @binding(3) var<storage, read> counts: array<f32>;
@group(0) @binding(4) var<storage, read> sft_weights: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<uniform> p: Params;

fn slope_of(d: f32) -> f32 {
  let x = p.beta * d;
  if (p.kind == HINGE) { return select(0.0, -p.beta, x < 1.0); }
  if (p.kind == IPO) { return 2.0 * (d - 0.5 / p.beta); }
  if (p.kind == ROBUST) {
    let both = (1.0 - p.smoothing) * sigmoid(-x) + p.smoothing * sigmoid(x);
    return -p.beta * both / (1.0 - 2.0 * p.smoothing);
  }
  return -p.beta * sigmoid(-x);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) n: vec3u,
  @builtin(local_invocation_index) l: u32,
) {
  let i = (w.y * n.x + w.x) * 64u + l;
  if (i < p.pairs) {
    let c = 2u * i;
    let r = c + 1u;
    let chosen_tokens = divisor(p.kind, counts[c]);
    let rejected_tokens = divisor(p.kind, counts[r]);
    let chosen = (-nlls[c] - ref_logps[c]) / chosen_tokens;
    let rejected = (-nlls[r] - ref_logps[r]) / rejected_tokens;
    let slope = slope_of(chosen - rejected);
    dnlls[c] = dy[i] * (sft_weights[i] - slope / chosen_tokens);
    dnlls[r] = dy[i] * slope / rejected_tokens;
  }
}
