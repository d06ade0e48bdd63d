// Copies keys and values of each row of qkv to the cache row of its sequence and position.
// Positions beyond the cache are skipped.
struct Params {
  n: u32, columns: u32, width: u32, first: u32, rows_per_sequence: u32, cache_rows: u32
}
@group(0) @binding(0) var<storage, read_write> cache: array<f32>;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {
  let i = (wg.y * count.x + wg.x) * 64u + tid;
  if (i >= p.n) { return; }
  let row = i / p.columns;
  let column = i % p.columns;
  let position = u32(positions[row]);
  if (position >= p.cache_rows) { return; }
  cache[(row / p.rows_per_sequence * p.cache_rows + position) * p.columns + column]
    = qkv[row * p.width + p.first + column];
}
