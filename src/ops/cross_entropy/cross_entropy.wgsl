// Cross-entropy of each row. Concatenated before scan.wgsl, which reads the row.
override WORKGROUP: u32 = 64u;
@group(0) @binding(0) var<storage, read_write> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<storage, read_write> probability: array<f32>;
@group(0) @binding(3) var<storage, read_write> correct: array<f32>;
@group(0) @binding(4) var<storage, read> logits: array<logits_stored>;
@group(0) @binding(5) var<storage, read> targets: array<i32>;
struct Params { n: u32, units: u32 }
@group(0) @binding(6) var<uniform> p: Params;

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
    let row_seen = seen[0];
    let target_id = u32(targets[row]);
    let log_sum = log(row_seen.sum);
    let row_loss = log_sum + (row_seen.largest - logit_at(start, target_id));
    loss[row] = row_loss;
    lse[row] = row_seen.largest + log_sum;
    probability[row] = exp(-row_loss);
    correct[row] = select(0.0, 1.0, row_seen.at == target_id);
  }
}
