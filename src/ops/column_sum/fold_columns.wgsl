// After wgsl/column_lanes.wgsl. Second pass: parts [chunks, d] summed into one row, or added to it.
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> sum: array<f32>;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
struct Params { chunks: u32, d: u32 }
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let column = w.x * 32u + l % 32u;
  var part = 0.0;
  if (column < p.d) {
    for (var i = l / 32u; i < p.chunks; i += 8u) { part += parts[i * p.d + column]; }
  }
  let total = lanes_sum(vec2f(part, 0.0), l).x;
  if (l < 32u && column < p.d) {
    if (ADD) { sum[column] += total; } else { sum[column] = total; }
  }
}
