@group(0) @binding(0) var<storage, read_write> dvalues: array<f32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> old_values: array<f32>;
@group(0) @binding(3) var<storage, read> returns: array<f32>;
@group(0) @binding(4) var<storage, read> weights: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
struct Params { n: u32, range: f32 }
@group(0) @binding(6) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.n) { return; }
  let old = old_values[i];
  let free = values[i] - returns[i];
  let near = clamp(values[i], old - p.range, old + p.range) - returns[i];
  let is_free = weights[i] != 0.0 && free * free >= near * near;
  dvalues[i] = select(0.0, dy[i] * free, is_free);
}
