// Sum over a workgroup, of two numbers at once, always in the same order. Every thread calls it and
// gets the result.
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
