// After wgsl/workgroup_sum.wgsl. Entropy of the softmax of each row of logits, one workgroup per row.
@group(0) @binding(0) var<storage, read_write> entropy: array<f32>;
@group(0) @binding(1) var<storage, read> logits: array<logits_stored>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
struct Params { n: u32, units: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let row = w.y * count.x + w.x;
  if (row >= p.n) { return; }
  let row_lse = lse[row];
  var sum = 0.0;
  for (var j = l; j < p.units; j += WORKGROUP) {
    let logp = get_logits(logits[row * p.units + j]) - row_lse;
    sum -= sum_of(exp(logp) * logp);
  }
  let total = workgroup_sum(vec2f(sum, 0.0), l);
  if (l == 0u) { entropy[row] = total.x; }
}
