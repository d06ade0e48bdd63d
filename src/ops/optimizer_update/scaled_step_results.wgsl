override GROWTH_INTERVAL: f32 = 2000.0;
@group(0) @binding(0) var<storage, read_write> norm: array<f32>;
@group(0) @binding(1) var<storage, read_write> inverse_scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> counts: array<f32>;
@group(0) @binding(6) var<storage, read_write> scalars: array<f32>;
@group(0) @binding(7) var<storage, read> parts: array<f32>;
struct Params { parts: u32, sums: u32, max_scale: f32, rest1: f32, rest2: f32 }
@group(0) @binding(8) var<uniform> p: Params;

// 1 - (1 - rest)^n by repeated squaring: all terms are positive, so there is no cancellation where
// the power is near 1.
fn bias_correction(rest: f32, n: u32) -> f32 {
  var result = 0.0;
  var square = rest;
  for (var k = n; k > 0u; k >>= 1u) {
    if ((k & 1u) == 1u) { result += square * (1.0 - result); }
    square *= 2.0 - square;
  }
  return result;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) l: u32) {
  var total = 0.0;
  for (var i = l; i < p.parts; i += WORKGROUP) { total += parts[i]; }
  let squares = workgroup_sum(vec2f(total, 0.0), l).x;
  if (l < p.sums) {
    results[l] = sums[l];
    sums[l] = 0.0;
  }
  if (l != 0u) { return; }
  let s = scale[0];
  let length = sqrt(squares) / s;
  norm[0] = length;
  results[p.sums] = length;
  // Tests the bits, because WGSL compilers may assume that no value is NaN or infinite.
  if ((bitcast<u32>(squares) & 0x7f800000u) == 0x7f800000u) {
    inverse_scale[0] = 0.0;
    scale[0] = 0.5 * s;
    counts[0] = 0.0;
    counts[1] += 1.0;
    return;
  }
  let n = u32(max(1.0, scalars[4] - counts[1]));
  scalars[2] = bias_correction(p.rest1, n);
  scalars[3] = sqrt(bias_correction(p.rest2, n));
  inverse_scale[0] = 1.0 / s;
  let steps = counts[0] + 1.0;
  let grows = steps >= GROWTH_INTERVAL;
  scale[0] = select(s, min(2.0 * s, p.max_scale), grows);
  counts[0] = select(steps, 0.0, grows);
}
