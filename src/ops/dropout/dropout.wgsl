// After wgsl/random.wgsl. rng: seed, step, row_offset. ADD: the residual is added.
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> rng: array<i32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
struct Params { size: u32, d: u32, site: u32, rows_per_sequence: u32, threshold: u32, scale: f32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  let i = (w.y * count.x + w.x) * 256u + l;
  if (i >= p.size) { return; }
  let row = i / p.d;
  let site = stir(stir(stir(0x7e11a21au, u32(rng[0])), u32(rng[1])), p.site);
  let draw = stir(stir(site, u32(rng[2]) * p.rows_per_sequence + row), i - row * p.d);
  var v = select(x[i] * p.scale, 0.0, draw < p.threshold);
  if (ADD) { v += residual[i]; }
  y[i] = v;
}
