// One workgroup sums over all values: a micro-batch has thousands of tokens, not millions. Prepend
// wgsl/workgroup_sum.wgsl.
override ADD: bool = false;
struct Params { n: u32, size: u32, index: u32 }
@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) l: u32) {
  var part = 0.0;
  for (var i = l; i < p.n; i += 256u) { part += weights[i] * x[i]; }
  let total = workgroup_sum(vec2f(part, 0.0), l).x;
  if (ADD) {
    if (l == 0u) { sums[p.index] += total; }
  } else {
    for (var i = l; i < p.size; i += 256u) { sums[i] = select(0.0, total, i == p.index); }
  }
}
