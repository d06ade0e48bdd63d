/**
 * Tensors stored as float16 (IEEE 754 binary16), two values in a 32-bit word, so that an activation
 * takes half the bytes on any adapter: `pack2x16float` needs no WebGPU feature. tfjs and all shapes
 * still see a float32 tensor; the storage type is recorded here, by the tensor's data id. Kernels
 * that support float16 unpack what they read, compute in float32 and pack what they write. For all
 * other kernels, `run` of ops/ converts the inputs first; passing such a tensor to a tfjs kernel
 * throws.
 *
 * Values are read and written four at a time, so only tensors whose rows are a multiple of four
 * values can be stored as float16.
 */
export type StorageType = 'float32' | 'float16';

let activations: StorageType = 'float32';
const storedAsFloat16 = new WeakSet<object>();

/** How the values of a tensor are stored. Clones and reshapes share their data, and so this. */
export function storageOf(tensor: { dataId: object }): StorageType {
  return storedAsFloat16.has(tensor.dataId) ? 'float16' : 'float32';
}

export function storeAsFloat16(tensor: { dataId: object }): void {
  storedAsFloat16.add(tensor.dataId);
}

/** Bytes of one value of the tensor, as it is stored. */
export function bytesPerValue(tensor: { dataId: object }): 2 | 4 {
  return storageOf(tensor) === 'float16' ? 2 : 4;
}

/** The storage type of a new activation of this shape (see `withActivations`). */
export function storageFor(shape: readonly number[]): StorageType {
  const width = shape[shape.length - 1] ?? 0;
  return activations === 'float16' && width % 4 === 0 ? 'float16' : 'float32';
}

/** Runs `fn` with new activations stored as `storage`, whether it is traced or run op by op. */
export function withActivations<T>(storage: StorageType, fn: () => T): T {
  const before = activations;
  activations = storage;
  try {
    return fn();
  } finally {
    activations = before;
  }
}

/**
 * WGSL functions that pack and unpack four values. Beyond 65504 the result of `pack2x16float` is
 * indeterminate for both values of the pair, so values out of range, infinities and NaN are all
 * packed as NaN: the overflow reaches the gradient norm, and the update is skipped.
 */
export const HALVES = `
fn from_halves(v: vec2u) -> vec4f { return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }
fn half_pair(v: vec2f) -> u32 {
  let over = (bitcast<vec2u>(v) & vec2u(0x7fffffffu)) > vec2u(0x477fe000u);
  return pack2x16float(select(v, vec2f(), over))
    | select(0u, 0x7fffu, over.x) | select(0u, 0x7fff0000u, over.y);
}
fn to_halves(v: vec4f) -> vec2u { return vec2u(half_pair(v.xy), half_pair(v.zw)); }
`;

/** Decodes float16 bit patterns. */
export function decodeFloat16(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, (half) => {
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const sign = half >> 15 ? -1 : 1;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}

/** Encodes as the kernels do: to nearest, ties to even; out of range, infinite and NaN give NaN. */
export function encodeFloat16(values: ArrayLike<number>): Uint16Array {
  return Uint16Array.from(values, (value) => {
    const magnitude = Math.abs(value);
    if (!(magnitude <= 65504)) return 0x7fff;
    const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
    // Subnormal values have the exponent of the smallest normal one.
    const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 1e-9)));
    const steps = roundToEven(magnitude / 2 ** (exponent - 10));
    return sign | ((exponent + 14) * 1024 + steps);
  });
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return up ? below + 1 : below;
}
