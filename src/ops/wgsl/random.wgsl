// Counter-based random bits, bit for bit those of `stir` in dropout/mask.ts. Change both together.
fn stir(state: u32, word: u32) -> u32 {
  var h = (state ^ word) * 0x9e3779b1u;
  h = (h ^ (h >> 15u)) * 0x85ebca77u;
  h = (h ^ (h >> 13u)) * 0xc2b2ae3du;
  return h ^ (h >> 16u);
}
