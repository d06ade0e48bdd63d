// After wgsl/column_lanes.wgsl. First of two passes over `rows` rows at a time: parts [chunks, d] of
// sum(dy (x - mean) rstd). Without CENTRE (RMSNorm) `mean` is bound but does not count.
override CENTRE: bool = true;
@group(0) @binding(0) var<storage, read_write> parts: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
struct Params { n: u32, d: u32, rows: u32 }
@group(0) @binding(5) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let column = w.x * 32u + l % 32u;
  let end = min(p.n, (w.y + 1u) * p.rows);
  var sum = 0.0;
  if (column < p.d) {
    for (var i = w.y * p.rows + l / 32u; i < end; i += 8u) {
      var c = x[i * p.d + column];
      if (CENTRE) { c -= mean[i]; }
      sum += dy[i * p.d + column] * c * rstd[i];
    }
  }
  let total = lanes_sum(vec2f(sum, 0.0), l).x;
  if (l < 32u && column < p.d) { parts[w.y * p.d + column] = total; }
}
