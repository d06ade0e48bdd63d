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

/** The bits of 65504, the largest float16 value, in float32. */
const LARGEST = 0x477fe000;
/** The bits of 2^-14, the smallest normal float16 value, in float32. */
const SMALLEST_NORMAL = 0x38800000;

/**
 * Encodes float32 values as the kernels do: to nearest, ties to even; out of range, infinite and NaN
 * give NaN.
 */
export function encodeFloat16(values: ArrayLike<number>): Uint16Array {
  const floats = values instanceof Float32Array ? values : Float32Array.from(values);
  const words = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < halves.length; i++) halves[i] = halfOf(words[i] ?? 0);
  return halves;
}

/** Bits of the float16 value that is nearest to the float32 value with these bits. */
function halfOf(word: number): number {
  const magnitude = word & 0x7fffffff;
  if (magnitude > LARGEST) return 0x7fff;
  const sign = (word >>> 16) & 0x8000;
  if (magnitude >= SMALLEST_NORMAL) return sign | roundedShift(magnitude - (112 << 23), 13);
  // A value of 2^-24 units, from 24 bits of the float32 value.
  const shift = 126 - (magnitude >>> 23);
  return shift > 24 ? sign : sign | roundedShift((magnitude & 0x7fffff) | 0x800000, shift);
}

/** bits / 2^shift, to nearest, ties to even. */
function roundedShift(bits: number, shift: number): number {
  const isOdd = (bits >>> shift) & 1;
  return (bits + (1 << (shift - 1)) - 1 + isOdd) >>> shift;
}
