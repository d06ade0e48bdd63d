// After wgsl/column_lanes.wgsl. First of two passes: sums of `rows` rows at a time, parts [chunks, d].
@group(0) @binding(0) var<storage, read_write> parts: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
struct Params { n: u32, d: u32, rows: u32 }
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let column = w.x * 32u + l % 32u;
  let end = min(p.n, (w.y + 1u) * p.rows);
  var sum = 0.0;
  if (column < p.d) {
    for (var i = w.y * p.rows + l / 32u; i < end; i += 8u) { sum += x[i * p.d + column]; }
  }
  let total = lanes_sum(vec2f(sum, 0.0), l).x;
  if (l < 32u && column < p.d) { parts[w.y * p.d + column] = total; }
}
