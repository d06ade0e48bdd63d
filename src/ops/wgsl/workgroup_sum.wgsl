// Sums two numbers at once over a workgroup, in a fixed order. Every thread must call it, and every
// thread gets the result.
override WORKGROUP: u32 = 64u;
var<workgroup> workgroup_parts: array<vec2f, WORKGROUP>;

fn workgroup_sum(v: vec2f, l: u32) -> vec2f {
  workgroup_parts[l] = v;
  workgroupBarrier();
  for (var width = WORKGROUP / 2u; width > 0u; width >>= 1u) {
    if (l < width) { workgroup_parts[l] += workgroup_parts[l + width]; }
    workgroupBarrier();
  }
  let total = workgroup_parts[0];
  workgroupBarrier();
  return total;
}
