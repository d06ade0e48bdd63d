// Cross-entropy over one chunk, columns [first, first + columns) of the vocabulary: merges the
// chunk with the row state of the previous chunks. Concatenated before scan.wgsl, which reads the
// row.
override WORKGROUP: u32 = 64u;
override FIRST: bool = false;
@group(0) @binding(0) var<storage, read_write> rows: array<Row>;
@group(0) @binding(1) var<storage, read> logits: array<logits_stored>;
@group(0) @binding(2) var<storage, read> targets: array<i32>;
struct Params { n: u32, units: u32, first: u32, columns: u32 }
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let row = w.y * count.x + w.x;
  if (row >= p.n) { return; }
  let start = row * p.units;
  scan_row(start, p.units, l);
  if (l == 0u) {
    var row_seen = Seen(seen[0].largest, seen[0].sum, p.first + seen[0].at);
    // Wraps around if the target is before this chunk.
    let column = u32(targets[row]) - p.first;
    var target_logit = 0.0;
    if (column < p.columns) { target_logit = logit_at(start, column); }
    if (!FIRST) {
      let before = rows[row];
      row_seen = merged(Seen(before.largest, before.sum, before.at), row_seen);
      if (column >= p.columns) { target_logit = before.target_logit; }
    }
    rows[row] = Row(row_seen.largest, row_seen.sum, row_seen.at, target_logit);
  }
}
