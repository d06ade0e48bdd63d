// y = factor x, or y += factor x if ADD. Prepend wgsl/units.ts. One thread per unit.
override ADD: bool = false;
struct Params { size: u32, factor: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> x: array<x_stored>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  var v = p.factor * get_x(x[i]);
  if (ADD) { v += get_y(y[i]); }
  y[i] = put_y(v);
}
