@group(0) @binding(0) var<storage, read_write> norm: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read> parts: array<f32>;
struct Params { parts: u32, sums: u32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) l: u32) {
  var total = 0.0;
  for (var i = l; i < p.parts; i += WORKGROUP) { total += parts[i]; }
  let squares = workgroup_sum(vec2f(total, 0.0), l).x;
  if (l < p.sums) {
    results[l] = sums[l];
    sums[l] = 0.0;
  }
  if (l == 0u) {
    norm[0] = sqrt(squares);
    results[p.sums] = sqrt(squares);
  }
}
