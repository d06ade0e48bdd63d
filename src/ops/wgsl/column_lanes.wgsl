// Sums a workgroup's values by column. The workgroup has 256 threads: 32 columns by 8 lanes, and
// thread l belongs to column l % 32 and lane l / 32. The caller gives each lane every eighth row.
// The lanes are added in a fixed order. Every thread must call it, and gets its column's sum.
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
