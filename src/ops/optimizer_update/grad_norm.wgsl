// Two entry passes over one file: `last` 0 leaves the sum of squares of each workgroup, `last` 1 the root of their sum.
@group(0) @binding(0) var<storage, read_write> result: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
struct Params { n: u32, last: u32 }
@group(0) @binding(2) var<uniform> p: Params;
var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  var total = 0.0;
  for (var i = w.x * 256u + l; i < p.n; i += count.x * 256u) {
    let v = x[i];
    total += select(v * v, v, p.last == 1u);
  }
  sums[l] = total;
  workgroupBarrier();
  for (var width = 128u; width > 0u; width >>= 1u) {
    if (l < width) { sums[l] += sums[l + width]; }
    workgroupBarrier();
  }
  if (l == 0u) { result[w.x] = select(sums[0], sqrt(sums[0]), p.last == 1u); }
}
