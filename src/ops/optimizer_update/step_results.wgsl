@group(0) @binding(0) var<storage, read_write> norm: array<f32>;
@group(0) @binding(1) var<storage, read_write> results: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;
@group(0) @binding(3) var<storage, read> parts: array<f32>;
struct Params { parts: u32, sums: u32 }
@group(0) @binding(4) var<uniform> p: Params;
var<workgroup> totals: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) l: u32) {
  var total = 0.0;
  for (var i = l; i < p.parts; i += 256u) { total += parts[i]; }
  totals[l] = total;
  workgroupBarrier();
  for (var width = 128u; width > 0u; width >>= 1u) {
    if (l < width) { totals[l] += totals[l + width]; }
    workgroupBarrier();
  }
  if (l < p.sums) {
    results[l] = sums[l];
    sums[l] = 0.0;
  }
  if (l == 0u) {
    norm[0] = sqrt(totals[0]);
    results[p.sums] = sqrt(totals[0]);
  }
}
