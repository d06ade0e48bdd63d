// One workgroup per row of dx: it adds the rows of dy that were taken from it, in their order.
struct Params { n: u32, taken: u32, width: u32 }
@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<i32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {
  let row = wg.y * count.x + wg.x;
  if (row >= p.n) { return; }
  for (var column = tid; column < p.width; column += 64u) {
    var sum = 0.0;
    for (var r = 0u; r < p.taken; r++) {
      if (u32(rows[r]) == row) { sum += dy[r * p.width + column]; }
    }
    dx[row * p.width + column] = sum;
  }
}
