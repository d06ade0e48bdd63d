@group(0) @binding(0) var<storage, read_write> dscores: array<f32>;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> margins: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
struct Params { pairs: u32, centring: f32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) n: vec3u,
  @builtin(local_invocation_index) l: u32,
) {
  let i = (w.y * n.x + w.x) * 64u + l;
  if (i < p.pairs) {
    let chosen = scores[2u * i];
    let rejected = scores[2u * i + 1u];
    let slope = 1.0 / (1.0 + exp(chosen - rejected - margins[i]));
    let pull = 2.0 * p.centring * (chosen + rejected);
    dscores[2u * i] = dy[i] * (pull - slope);
    dscores[2u * i + 1u] = dy[i] * (pull + slope);
  }
}
