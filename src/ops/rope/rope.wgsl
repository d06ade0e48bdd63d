// After wgsl/units.ts: one unit per thread, and all sizes are in units. q and k heads are rotated,
// v heads copied.
struct Params { n: u32, width: u32, rotated: u32, head_dim: u32, sign: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> qkv: array<qkv_stored>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
@group(0) @binding(3) var<storage, read> table: array<Unit>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {
  let i = (wg.y * count.x + wg.x) * 64u + tid;
  if (i >= p.n) { return; }
  let column = i % p.width;
  let x = get_qkv(qkv[i]);
  if (column >= p.rotated) { y[i] = put_y(x); return; }
  let half = p.head_dim / 2u;
  let d = column % p.head_dim;
  let pair = d % half;
  let row = u32(positions[i / p.width]) * p.head_dim;
  let c = table[row + pair];
  let s = p.sign * table[row + half + pair];
  if (d < half) {
    y[i] = put_y(x * c - get_qkv(qkv[i + half]) * s);
  } else {
    y[i] = put_y(x * c + get_qkv(qkv[i - half]) * s);
  }
}
