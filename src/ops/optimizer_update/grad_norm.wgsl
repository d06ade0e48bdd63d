// Runs twice: with `last` 0 it writes the sum of squares of each workgroup, with `last` 1 the
// square root of their sum.
@group(0) @binding(0) var<storage, read_write> result: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
struct Params { n: u32, last: u32 }
@group(0) @binding(2) var<uniform> p: Params;
var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  // Four reads are in flight at once.
  var four = vec4f();
  let step = count.x * 256u;
  for (var i = w.x * 256u + l; i < p.n; i += 4u * step) {
    let at = i + step * vec4u(0u, 1u, 2u, 3u);
    let read = vec4f(
      x[at.x],
      x[min(at.y, p.n - 1u)],
      x[min(at.z, p.n - 1u)],
      x[min(at.w, p.n - 1u)]
    );
    let v = select(vec4f(), read, at < vec4u(p.n));
    four += select(v * v, v, p.last == 1u);
  }
  sums[l] = dot(four, vec4f(1.0));
  workgroupBarrier();
  for (var width = 128u; width > 0u; width >>= 1u) {
    if (l < width) { sums[l] += sums[l + width]; }
    workgroupBarrier();
  }
  if (l == 0u) { result[w.x] = select(sums[0], sqrt(sums[0]), p.last == 1u); }
}
