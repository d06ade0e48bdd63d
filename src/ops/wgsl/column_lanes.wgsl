// A workgroup of 32 columns by 8 lanes: each lane goes through every eighth row, then the lanes are
// added in order.
var<workgroup> lane_parts: array<vec2f, 256>;

fn lanes_sum(v: vec2f, l: u32) -> vec2f {
  lane_parts[l] = v;
  workgroupBarrier();
  for (var width = 128u; width >= 32u; width >>= 1u) {
    if (l < width) { lane_parts[l] += lane_parts[l + width]; }
    workgroupBarrier();
  }
  let total = lane_parts[l % 32u];
  workgroupBarrier();
  return total;
}
