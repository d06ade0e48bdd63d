/**
 * Counter-based random bits. Those of dropout are bit for bit those of `stir` in
 * src/ops/dropout/mask.ts and src/ops/wgsl/random.wgsl: change them together.
 */

/** Mixes one more 32-bit word into the state. */
export function stir(state: i32, word: i32): i32 {
  let h = (state ^ word) * <i32>0x9e3779b1;
  h = (h ^ (<i32>((<u32>h) >>> 15))) * <i32>0x85ebca77;
  h = (h ^ (<i32>((<u32>h) >>> 13))) * <i32>0xc2b2ae3d;
  return h ^ (<i32>((<u32>h) >>> 16));
}

/** `stir` of four words into the state. */
export function stir4(state: i32, words: v128): v128 {
  let h = i32x4.mul(v128.xor(i32x4.splat(state), words), i32x4.splat(<i32>0x9e3779b1));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 15)), i32x4.splat(<i32>0x85ebca77));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 13)), i32x4.splat(<i32>0xc2b2ae3d));
  return v128.xor(h, i32x4.shr_u(h, 16));
}

/** The state of a dropout layer, into which the global row and then the column are stirred. */
export function siteState(seed: i32, step: i32, site: i32): i32 {
  return stir(stir(stir(0x7e11a21a, seed), step), site);
}

/**
 * Ones in the lanes of the columns from `column` that are kept: their random bits are not below
 * `threshold` (`dropThreshold` in src/ops/dropout/mask.ts, an unsigned number).
 */
export function keptLanes(rowState: i32, column: i32, threshold: i32): v128 {
  const columns = i32x4.add(i32x4.splat(column), i32x4(0, 1, 2, 3));
  return i32x4.ge_u(stir4(rowState, columns), i32x4.splat(threshold));
}

/**
 * The draw in [0, 1) for the token at this position of a sample, with the bits of `uniformAt` in
 * src/ops/sample_token/sampler.ts.
 */
export function uniformAt(seed: u32, position: u32): f64 {
  let h: u32 = ((seed ^ 0x9e3779b9) * 0x85ebca6b) ^ ((position + 1) * 0xc2b2ae35);
  h = (h ^ (h >> 16)) * 0x7feb352d;
  h = (h ^ (h >> 15)) * 0x846ca68b;
  return <f64>(h ^ (h >> 16)) / 4294967296.0;
}
