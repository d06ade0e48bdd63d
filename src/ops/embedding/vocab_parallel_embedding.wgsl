// After wgsl/units.ts: one unit per thread; a row has `units` of them. Rows of negative ids are zeros.
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> weight: array<Unit>;
@group(0) @binding(2) var<storage, read> ids: array<i32>;
struct Params { size: u32, units: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let row = i / p.units;
  let id = ids[row];
  var v = Unit(0.0);
  if (id >= 0) { v = weight[u32(id) * p.units + i - row * p.units]; }
  y[i] = put_y(v);
}
