// One workgroup a (head, sequence). Blocks of 64 keys: a thread scores one key, then adds up values of its columns; the
// maximum and the sum run along as in the forward of `attention`. The number of keys comes from a tensor: a program is
// recorded once for all positions.
override HD: u32 = 64;
const COLUMNS = 1u; // ceil(HD / 64): columns of a thread
struct Params { n_head: u32, n_kv_head: u32, cache_rows: u32, window: u32, scale: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> cache: array<f32>;
@group(0) @binding(3) var<storage, read> positions: array<i32>;
@group(0) @binding(4) var<uniform> p: Params;
var<workgroup> query: array<f32, HD>;
var<workgroup> weights: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let h = wg.x; let b = wg.y;
  let kv = h / (p.n_head / p.n_kv_head);
  let half = p.n_kv_head * HD;
  let end = min(u32(positions[b]) + 1u, p.cache_rows);
  let first = select(0u, max(end, p.window) - p.window, p.window > 0u);
  for (var d = tid; d < HD; d += 64u) { query[d] = qkv[b * (p.n_head + 2u * p.n_kv_head) * HD + h * HD + d] * p.scale; }
  var top = -3.0e38; var total = 0.0;
  var sums: array<f32, COLUMNS>;
  for (var j0 = first; j0 < end; j0 += 64u) {
    workgroupBarrier();
    let keys = min(64u, end - j0);
    let start = (b * p.cache_rows + j0) * 2u * half + kv * HD;
    var score = -3.0e38;
    if (tid < keys) {
      score = 0.0;
      for (var d = 0u; d < HD; d++) { score += query[d] * cache[start + tid * 2u * half + d]; }
    }
    weights[tid] = score;
    workgroupBarrier();
    var m = top;
    for (var n = 0u; n < keys; n++) { m = max(m, weights[n]); }
    workgroupBarrier();
    weights[tid] = exp(score - m);
    workgroupBarrier();
    let shrink = exp(top - m);
    top = m;
    total *= shrink;
    for (var n = 0u; n < keys; n++) { total += weights[n]; }
    for (var c = 0u; c < COLUMNS; c++) {
      let d = tid + 64u * c;
      if (d < HD) {
        var sum = sums[c] * shrink;
        for (var n = 0u; n < keys; n++) { sum += weights[n] * cache[start + half + n * 2u * half + d]; }
        sums[c] = sum;
      }
    }
  }
  for (var c = 0u; c < COLUMNS; c++) {
    let d = tid + 64u * c;
    if (d < HD) { y[(b * p.n_head + h) * HD + d] = sums[c] / total; }
  }
}
