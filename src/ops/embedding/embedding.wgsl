// After wgsl/units.ts: one unit per thread; a row has `units` of them. POSITIONS adds the row of a
// second table.
override POSITIONS: bool = false;
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> weight: array<weight_stored>;
@group(0) @binding(2) var<storage, read> ids: array<i32>;
@group(0) @binding(3) var<storage, read> position_weight: array<position_weight_stored>;
@group(0) @binding(4) var<storage, read> positions: array<i32>;
struct Params { size: u32, units: u32 }
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let row = i / p.units;
  let column = i - row * p.units;
  var v = get_weight(weight[u32(ids[row]) * p.units + column]);
  if (POSITIONS) {
    v += get_position_weight(position_weight[u32(positions[row]) * p.units + column]);
  }
  y[i] = put_y(v);
}
