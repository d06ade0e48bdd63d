// Dropout of x, plus `residual` if ADD. Prepend wgsl/random.wgsl, wgsl/units.ts and `draws`.
// One thread per unit; a row has `units` of them. rng: seed, step, row_offset.
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> x: array<x_stored>;
@group(0) @binding(2) var<storage, read> rng: array<i32>;
@group(0) @binding(3) var<storage, read> residual: array<residual_stored>;
struct Params {
  size: u32, units: u32, site: u32, rows_per_sequence: u32, threshold: u32, scale: f32
}
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let row = i / p.units;
  let site = stir(stir(stir(0x7e11a21au, u32(rng[0])), u32(rng[1])), p.site);
  let drawn = draws(
    stir(site, u32(rng[2]) * p.rows_per_sequence + row),
    columns_of(i - row * p.units)
  );
  var v = select(get_x(x[i]) * p.scale, Unit(), drawn < Columns(p.threshold));
  if (ADD) { v += get_residual(residual[i]); }
  y[i] = put_y(v);
}
