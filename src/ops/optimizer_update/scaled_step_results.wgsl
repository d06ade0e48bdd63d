override GROWTH_INTERVAL: f32 = 2000.0;
@group(0) @binding(0) var<storage, read_write> norm: array<f32>;
@group(0) @binding(1) var<storage, read_write> inverse_scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> results: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> clean_steps: array<f32>;
@group(0) @binding(6) var<storage, read> parts: array<f32>;
struct Params { parts: u32, sums: u32, max_scale: f32 }
@group(0) @binding(7) var<uniform> p: Params;

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
  // By its bits: compilers may take it that a number is a number.
  if ((bitcast<u32>(squares) & 0x7f800000u) == 0x7f800000u) {
    inverse_scale[0] = 0.0;
    scale[0] = 0.5 * s;
    clean_steps[0] = 0.0;
    return;
  }
  inverse_scale[0] = 1.0 / s;
  let steps = clean_steps[0] + 1.0;
  let grows = steps >= GROWTH_INTERVAL;
  scale[0] = select(s, min(2.0 * s, p.max_scale), grows);
  clean_steps[0] = select(steps, 0.0, grows);
}
