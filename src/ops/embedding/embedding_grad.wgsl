// After wgsl/column_lanes.wgsl and `dy_at`. A workgroup takes one id and 32 columns at a time; its
// eight lanes share the rows of the id, so that a frequent token does not wait for one thread. Sums
// follow the order of `sorted`, so results are reproducible.
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> weight: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<dy_element>;
@group(0) @binding(2) var<storage, read> sorted: array<i32>;
@group(0) @binding(3) var<storage, read> starts: array<i32>;
struct Params { vocab_size: u32, d: u32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let id = w.y * count.x + w.x;
  if (id >= p.vocab_size) { return; }
  let begin = u32(starts[id]);
  let end = u32(starts[id + 1u]);
  if (ADD && begin == end) { return; }
  for (var tile = w.z * 32u; tile < p.d; tile += count.z * 32u) {
    let column = tile + l % 32u;
    var sum = 0.0;
    if (column < p.d) {
      for (var k = begin + l / 32u; k < end; k += 8u) {
        sum += dy_at(u32(sorted[k]) * p.d + column);
      }
    }
    let total = lanes_sum(vec2f(sum, 0.0), l).x;
    if (l < 32u && column < p.d) {
      let at = id * p.d + column;
      if (ADD) { weight[at] += total; } else { weight[at] = total; }
    }
  }
}
