// The gradient of glu.wgsl: one thread per unit of dy [n, f] writes the gradients of its gate and
// of its up value to dx [n, 2f]. Sizes are in units. Prepend activation/activation.wgsl,
// wgsl/units.ts, `value_of` and `derivative_of`.
@group(0) @binding(0) var<storage, read_write> dx: array<dx_stored>;
@group(0) @binding(1) var<storage, read> x: array<x_stored>;
@group(0) @binding(2) var<storage, read> dy: array<dy_stored>;
struct Params { size: u32, f: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let gate = i + (i / p.f) * p.f;
  let g = get_dy(dy[i]);
  let u = get_x(x[gate]);
  dx[gate] = put_dx(g * get_x(x[gate + p.f]) * derivative_of(u));
  dx[gate + p.f] = put_dx(g * value_of(u));
}
