// What drawing a token needs, for the kernels that sample.

// The upper 32 bits of a * b.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let middle = a1 * b0 + ((a0 * b0) >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + (middle >> 16u) + (other >> 16u);
}

// `uniformBits` of sampler.ts, bit for bit.
fn uniform_bits(seed: u32, position: u32) -> u32 {
  var h = ((seed ^ 0x9e3779b9u) * 0x85ebca6bu) ^ ((position + 1u) * 0xc2b2ae35u);
  h = (h ^ (h >> 16u)) * 0x7feb352du;
  h = (h ^ (h >> 15u)) * 0x846ca68bu;
  return h ^ (h >> 16u);
}
