/**
 * Replaces subgroup matrices by plain WGSL, so that kernels that use them run on any adapter with
 * subgroups. Each of 32 lanes holds what it needs of a fragment: its row of the left operand, half
 * of the right operand, eight values of the result. Only for sources that keep everything in one
 * shared buffer called `memory`. Float16 values are read by `unpack2x16float`, so that shader-f16 is
 * not needed either. Throws if the source has no such buffer.
 */
export function emulateSubgroups(code: string): string {
  const bytes = /var<workgroup> memory: buffer<(\d+)>/u.exec(code)?.[1];
  if (bytes === undefined) throw new Error('This source has no shared buffer called memory.');
  const replacements: readonly [string | RegExp, string][] = [
    [
      'enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;',
      'enable subgroups;',
    ],
    ['diagnostic(off, chromium.subgroup_matrix_uniformity);', ''],
    [/let halves = bufferView<array<f16, \d+>>\(&memory, 0u\);/gu, ''],
    [
      /subgroupMatrixLoad<subgroup_matrix_(left|right)<f16, 16, 16>, (row|col)_major>\(halves, /gu,
      'load_$1_$2(',
    ],
    ['subgroup_matrix_result<f32, 16, 16>', 'array<f32, 8>'],
    ['subgroupMatrixMultiplyAccumulate(', 'multiply_fragments('],
    ['subgroupMatrixStore<row_major>(floats, ', 'store_floats('],
  ];
  let emulated = code;
  for (const [from, to] of replacements) emulated = emulated.replaceAll(from, to);
  return emulated.replace(
    /(@compute[^]*?fn main\([^{]*\{)/u,
    `${functions(Number(bytes))}\n$1\nlane_of_32 = tid & 31u;`,
  );
}

function functions(bytes: number): string {
  return `
var<private> lane_of_32: u32;
fn half_at(i: u32) -> f32 {
  let words = bufferView<array<u32, ${bytes / 4}>>(&memory, 0u);
  return unpack2x16float(words[i / 2u])[i % 2u];
}
fn load_left(offset: u32, step_m: u32, step_k: u32) -> array<f32, 16> {
  var v: array<f32, 16>;
  for (var k = 0u; k < 16u; k++) { v[k] = half_at(offset + lane_of_32 / 2u * step_m + k * step_k); }
  return v;
}
fn load_right(offset: u32, step_k: u32, step_n: u32) -> array<f32, 128> {
  var v: array<f32, 128>;
  let first = 8u * (lane_of_32 & 1u);
  for (var k = 0u; k < 16u; k++) {
    for (var n = 0u; n < 8u; n++) {
      v[8u * k + n] = half_at(offset + k * step_k + (first + n) * step_n);
    }
  }
  return v;
}
fn load_left_row(offset: u32, stride: u32) -> array<f32, 16> {
  return load_left(offset, stride, 1u);
}
fn load_left_col(offset: u32, stride: u32) -> array<f32, 16> {
  return load_left(offset, 1u, stride);
}
fn load_right_row(offset: u32, stride: u32) -> array<f32, 128> {
  return load_right(offset, stride, 1u);
}
fn load_right_col(offset: u32, stride: u32) -> array<f32, 128> {
  return load_right(offset, 1u, stride);
}
fn multiply_fragments(
  a: array<f32, 16>, b: array<f32, 128>, c: array<f32, 8>,
) -> array<f32, 8> {
  var left = a;
  var right = b;
  var sum = c;
  for (var k = 0u; k < 16u; k++) {
    for (var n = 0u; n < 8u; n++) { sum[n] += left[k] * right[8u * k + n]; }
  }
  return sum;
}
fn store_floats(offset: u32, c: array<f32, 8>, stride: u32) {
  let floats = bufferView<array<f32, ${bytes / 4}>>(&memory, 0u);
  var v = c;
  let first = offset + lane_of_32 / 2u * stride + 8u * (lane_of_32 & 1u);
  for (var n = 0u; n < 8u; n++) { floats[first + n] = v[n]; }
}`;
}
