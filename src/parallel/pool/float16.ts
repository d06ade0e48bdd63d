/**
 * Parameter differences as float16 on the wire. Values are first scaled by a power of two, which is
 * exact, so that the largest magnitude lies in [2^14, 2^15): float16 has 11 significant bits
 * between 2^-14 and 65504, and differences of weights are usually far below one. Rounding is to
 * nearest, ties to even (IEEE 754), so the same input gives the same bytes everywhere.
 */

/** Values v of the original array are decoded[i] = float16(halves[i]) x 2^exponent. */
export interface Halves {
  halves: Uint16Array;
  exponent: number;
}

/** Exponents that `encodeHalves` gives, and that a message may have. */
export const LEAST_EXPONENT = -149;
export const LARGEST_EXPONENT = 127;

const bitsOf = new Uint32Array(1);
const floatOf = new Float32Array(bitsOf.buffer);

/** Rounds to float16. Infinite and NaN values stay what they are, so that the receiver refuses them. */
export function encodeHalves(values: Float32Array): Halves {
  const exponent = sharedExponent(values);
  const scale = 2 ** -exponent;
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    floatOf[0] = (values[i] ?? 0) * scale;
    halves[i] = toHalf(bitsOf[0] ?? 0);
  }
  return { halves, exponent };
}

/** Values as float32. */
export function decodeHalves({ halves, exponent }: Halves): Float32Array {
  const scale = 2 ** exponent;
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = halfToNumber(halves[i] ?? 0) * scale;
  return values;
}

/** Whether no value is infinite or NaN. */
export function allFinite(halves: Uint16Array): boolean {
  return halves.every((half) => (half & 0x7c00) !== 0x7c00);
}

/** The exponent by which the largest magnitude becomes one in [2^14, 2^15). */
function sharedExponent(values: Float32Array): number {
  let largest = 0;
  for (const value of values) {
    const magnitude = Math.abs(value);
    if (magnitude > largest && magnitude < Infinity) largest = magnitude;
  }
  if (largest === 0) return 0;
  const exponent = Math.floor(Math.log2(largest)) - 14;
  return Math.max(LEAST_EXPONENT, Math.min(LARGEST_EXPONENT, exponent));
}

/** Bits of the float16 nearest to the float32 with these bits. */
function toHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude < 0x38800000) return sign | subnormalHalf(magnitude);
  // Rebias the exponent by 112, and round the 13 bits that are dropped.
  const rebiased = magnitude - 0x38000000;
  const odd = (rebiased >>> 13) & 1;
  const half = (rebiased + 0xfff + odd) >>> 13;
  return sign | Math.min(half, 0x7c00);
}

/** Below 2^-14, float16 is a multiple of 2^-24. */
function subnormalHalf(magnitude: number): number {
  bitsOf[0] = magnitude;
  const multiple = (floatOf[0] ?? 0) * 2 ** 24;
  const floor = Math.floor(multiple);
  const rest = multiple - floor;
  if (rest > 0.5) return floor + 1;
  return rest === 0.5 ? floor + (floor & 1) : floor;
}

function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
