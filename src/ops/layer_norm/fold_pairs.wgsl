// After wgsl/column_lanes.wgsl. Second pass: pairs [chunks, d, 2] summed into two rows, or added to them.
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> bias: array<f32>;
@group(0) @binding(2) var<storage, read> pairs: array<vec2f>;
struct Params { chunks: u32, d: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let column = w.x * 32u + l % 32u;
  var part = vec2f(0.0);
  if (column < p.d) {
    for (var i = l / 32u; i < p.chunks; i += 8u) { part += pairs[i * p.d + column]; }
  }
  let total = lanes_sum(part, l);
  if (l < 32u && column < p.d) {
    if (ADD) {
      weight[column] += total.x;
      bias[column] += total.y;
    } else {
      weight[column] = total.x;
      bias[column] = total.y;
    }
  }
}
