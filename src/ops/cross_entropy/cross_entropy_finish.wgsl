// Computes the outputs of cross-entropy from the row states after the last chunk.
@group(0) @binding(0) var<storage, read_write> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<storage, read_write> probability: array<f32>;
@group(0) @binding(3) var<storage, read_write> correct: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<Row>;
@group(0) @binding(5) var<storage, read> targets: array<i32>;
struct Params { n: u32 }
@group(0) @binding(6) var<uniform> p: Params;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let row = (w.y * count.x + w.x) * 256u + l;
  if (row >= p.n) { return; }
  let seen = rows[row];
  let log_sum = log(seen.sum);
  let row_loss = log_sum + (seen.largest - seen.target_logit);
  loss[row] = row_loss;
  lse[row] = seen.largest + log_sum;
  probability[row] = exp(-row_loss);
  correct[row] = select(0.0, 1.0, seen.at == u32(targets[row]));
}
