// One pass over a row by one workgroup (online softmax, Milakov and Gimelshein 2018): each thread
// keeps the largest logit that it has seen, its column, and the sum of exponentials relative to it;
// the threads' states are then merged in a tree. Needs wgsl/units.ts and UNIT_FUNCTIONS of
// kernels.ts; `logits` and `WORKGROUP` are declared by the kernel.
const LOWEST = -3.4e38;
struct Seen { largest: f32, sum: f32, at: u32 }
var<workgroup> seen: array<Seen, WORKGROUP>;

fn merged(a: Seen, b: Seen) -> Seen {
  let largest = max(a.largest, b.largest);
  let sum = a.sum * exp(a.largest - largest) + b.sum * exp(b.largest - largest);
  let takes_b = b.largest > a.largest || (b.largest == a.largest && b.at < a.at);
  return Seen(largest, sum, select(a.at, b.at, takes_b));
}

// Leaves the state of the row of `units` units that begins at `start` in seen[0]; `l` is the
// thread.
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
