struct Params { n: u32, T: u32 }
@group(0) @binding(0) var<storage, read_write> dlogps: array<f32>;
@group(0) @binding(1) var<storage, read> dsums: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i < p.n) { dlogps[i] = weights[i] * dsums[i / p.T]; }
}
