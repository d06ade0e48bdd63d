struct Params { n: u32, width: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<i32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {
  let i = (wg.y * count.x + wg.x) * 64u + tid;
  if (i < p.n) { y[i] = x[u32(rows[i / p.width]) * p.width + i % p.width]; }
}
