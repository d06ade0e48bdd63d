// y [n, f] = activation(gate) * up, where x [n, 2f] is gate | up. One thread per unit of y; sizes
// are in units. Prepend activation/activation.wgsl, wgsl/units.ts, `value_of` and `derivative_of`.
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> x: array<x_stored>;
struct Params { size: u32, f: u32 }
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let gate = i + (i / p.f) * p.f;
  y[i] = put_y(value_of(get_x(x[gate])) * get_x(x[gate + p.f]));
}
