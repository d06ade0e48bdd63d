@group(0) @binding(0) var<storage, read_write> dscores: array<f32>;
@group(0) @binding(1) var<storage, read> margin: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
struct Params { pairs: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) n: vec3u,
  @builtin(local_invocation_index) l: u32,
) {
  let i = (w.y * n.x + w.x) * 64u + l;
  if (i < p.pairs) {
    let g = dy[i] / (1.0 + exp(margin[i]));
    dscores[2u * i] = -g;
    dscores[2u * i + 1u] = g;
  }
}
