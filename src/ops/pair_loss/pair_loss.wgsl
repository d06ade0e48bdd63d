@group(0) @binding(0) var<storage, read_write> loss: array<f32>;
@group(0) @binding(1) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(2) var<storage, read> scores: array<f32>;
@group(0) @binding(3) var<storage, read> margins: array<f32>;
struct Params { pairs: u32, centring: f32 }
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) n: vec3u,
  @builtin(local_invocation_index) l: u32,
) {
  let i = (w.y * n.x + w.x) * 64u + l;
  if (i < p.pairs) {
    let chosen = scores[2u * i];
    let rejected = scores[2u * i + 1u];
    let gap = chosen - rejected;
    let total = chosen + rejected;
    // Batches have few pairs, so every thread looks for the extremes itself.
    var least = scores[0];
    var greatest = scores[0];
    for (var row = 1u; row < 2u * p.pairs; row++) {
      least = min(least, scores[row]);
      greatest = max(greatest, scores[row]);
    }
    let x = margins[i] - gap;
    // log(1 + exp(x)) without overflow.
    let value = max(x, 0.0) + log(1.0 + exp(-abs(x))) + p.centring * total * total;
    loss[i] = value;
    let at = 6u * i;
    statistics[at] = value;
    statistics[at + 1u] = select(0.0, 1.0, gap > 0.0);
    statistics[at + 2u] = gap;
    statistics[at + 3u] = 0.5 * total;
    statistics[at + 4u] = least;
    statistics[at + 5u] = greatest;
  }
}
