// Advances the state of each row by its chosen token, one thread per row. A row that is inactive or
// has no tokens left stays as it is.
struct Params { rows: u32, slots: u32 }
@group(0) @binding(0) var<storage, read_write> ids: array<i32>;
@group(0) @binding(1) var<storage, read_write> positions: array<i32>;
@group(0) @binding(2) var<storage, read_write> progress: array<i32>;
@group(0) @binding(3) var<storage, read_write> history_ids: array<i32>;
@group(0) @binding(4) var<storage, read_write> history_probabilities: array<f32>;
@group(0) @binding(5) var<storage, read> chosen: array<i32>;
@group(0) @binding(6) var<storage, read> probabilities: array<f32>;
@group(0) @binding(7) var<storage, read> control: array<i32>;
@group(0) @binding(8) var<uniform> p: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let b = id.x;
  if (b >= p.rows) { return; }
  let generated = progress[2u * b];
  let left = progress[2u * b + 1u];
  let is_active = control[3u * b + 1u] != 0;
  if (!is_active || left <= 0) { return; }
  let slot = (b * p.slots + u32(generated) % p.slots) * 5u;
  for (var j = 0u; j < 5u; j++) {
    history_ids[slot + j] = chosen[5u * b + j];
    history_probabilities[slot + j] = probabilities[5u * b + j];
  }
  let token = chosen[5u * b];
  let stop = control[3u * b + 2u];
  let left_after = select(left - 1, 0, token == stop);
  ids[b] = token;
  progress[2u * b] = generated + 1;
  progress[2u * b + 1u] = left_after;
  if (left_after > 0) { positions[b] += 1; }
}
