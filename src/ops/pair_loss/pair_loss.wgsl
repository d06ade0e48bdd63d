@group(0) @binding(0) var<storage, read_write> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> margin: array<f32>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
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
    let m = scores[2u * i] - scores[2u * i + 1u];
    margin[i] = m;
    // log(1 + exp(-m)) without overflow.
    loss[i] = max(-m, 0.0) + log(1.0 + exp(-abs(m)));
  }
}
