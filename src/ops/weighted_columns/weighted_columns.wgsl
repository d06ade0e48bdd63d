// After wgsl/workgroup_sum.wgsl. One workgroup; the order of each sum is fixed.
override ADD: u32 = 0u;
@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
struct Params { n: u32, columns: u32, size: u32, index: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) l: u32) {
  if (ADD == 0u) {
    for (var i = l; i < p.size; i += WORKGROUP) {
      if (i < p.index || i >= p.index + p.columns) { sums[i] = 0.0; }
    }
  }
  for (var column = 0u; column < p.columns; column++) {
    var part = 0.0;
    for (var i = l; i < p.n; i += WORKGROUP) { part += weights[i] * x[i * p.columns + column]; }
    let total = workgroup_sum(vec2f(part, 0.0), l).x;
    if (l == 0u) {
      let to = p.index + column;
      sums[to] = select(total, sums[to] + total, ADD == 1u);
    }
  }
}
