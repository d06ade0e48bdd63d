// After shared.wgsl.
@group(0) @binding(0) var<storage, read_write> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(2) var<storage, read> nlls: array<f32>;
@group(0) @binding(3) var<storage, read> ref_logps: array<f32>;
@group(0) @binding(4) var<storage, read> counts: array<f32>;
@group(0) @binding(5) var<storage, read> sft_weights: array<f32>;
@group(0) @binding(6) var<uniform> p: Params;

fn loss_of(d: f32) -> f32 {
  let x = p.beta * d;
  if (p.kind == HINGE) { return max(1.0 - x, 0.0); }
  if (p.kind == IPO) {
    let gap = d - 0.5 / p.beta;
    return gap * gap;
  }
  if (p.kind == ROBUST) {
    let both = (1.0 - p.smoothing) * softplus(-x) - p.smoothing * softplus(x);
    return both / (1.0 - 2.0 * p.smoothing);
  }
  return softplus(-x);
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
    let chosen = -nlls[c] - ref_logps[c];
    let rejected = -nlls[r] - ref_logps[r];
    let d = chosen / divisor(p.kind, counts[c]) - rejected / divisor(p.kind, counts[r]);
    let value = loss_of(d) + sft_weights[i] * nlls[c];
    loss[i] = value;
    let at = 7u * i;
    statistics[at] = value;
    statistics[at + 1u] = p.beta * chosen;
    statistics[at + 2u] = p.beta * rejected;
    statistics[at + 3u] = p.beta * (chosen - rejected);
    statistics[at + 4u] = select(0.0, 1.0, chosen > rejected);
    statistics[at + 5u] = -nlls[c];
    statistics[at + 6u] = -nlls[r];
  }
}
