// One workgroup sums over all tokens: a micro-batch has thousands of them, not millions. Prepend
// wgsl/workgroup_sum.wgsl.
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> loss: array<f32>;
@group(0) @binding(3) var<storage, read> correct: array<f32>;
struct Params { n: u32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) l: u32) {
  var part = vec2f();
  for (var i = l; i < p.n; i += 256u) { part += weights[i] * vec2f(loss[i], correct[i]); }
  let total = workgroup_sum(part, l);
  if (l < 2u) {
    if (ADD) { sums[l] += total[l]; } else { sums[l] = total[l]; }
  }
}
