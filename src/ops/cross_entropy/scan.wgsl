// After wgsl/units.ts and what kernels.ts says over a unit; `logits` and `WORKGROUP` are declared
// beside it. One workgroup a row, one pass over it: each thread keeps the largest logit that it has
// seen, where that was, and the sum of exponentials about it (Milakov and Gimelshein 2018, online
// softmax); then the threads' triples are merged in a tree.
const LOWEST = -3.4e38;
struct Seen { largest: f32, sum: f32, at: u32 }
var<workgroup> seen: array<Seen, WORKGROUP>;

fn merged(a: Seen, b: Seen) -> Seen {
  let largest = max(a.largest, b.largest);
  let sum = a.sum * exp(a.largest - largest) + b.sum * exp(b.largest - largest);
  let takes_b = b.largest > a.largest || (b.largest == a.largest && b.at < a.at);
  return Seen(largest, sum, select(a.at, b.at, takes_b));
}

// The row of `units` units that begins at `start`, left in seen[0]; `l` is the thread.
fn scan_row(start: u32, units: u32, l: u32) {
  var own = Seen(LOWEST, 0.0, 0xffffffffu);
  for (var j = l; j < units; j += WORKGROUP) {
    let x = get_logits(logits[start + j]);
    let top = largest_of(x);
    if (top > own.largest) {
      own = Seen(top, own.sum * exp(own.largest - top), WIDTH * j + first_equal(x, top));
    }
    own.sum += sum_of(exp(x - own.largest));
  }
  seen[l] = own;
  workgroupBarrier();
  for (var width = WORKGROUP / 2u; width > 0u; width >>= 1u) {
    if (l < width) { seen[l] = merged(seen[l], seen[l + width]); }
    workgroupBarrier();
  }
}
