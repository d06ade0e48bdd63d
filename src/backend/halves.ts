/**
 * Tensors stored as halves: IEEE 754 binary16, two in a 32-bit word, so that an activation takes
 * half the bytes on any adapter (`pack2x16float` needs no feature). To tfjs and to shapes such a
 * tensor is float32 as ever; what lies in its buffer is known here, by its data. Kernels that know
 * of it unpack what they read, count in float32 and pack what they write; for all others `run` of
 * ops/ unpacks beforehand, and a kernel of tfjs's that is handed one is an error of ours.
 *
 * Values are read and written four at a time, so only tensors whose rows are a multiple of four
 * values are stored so.
 */
export type StorageType = 'float32' | 'float16';

let activations: StorageType = 'float32';
const inHalves = new WeakSet<object>();

/**
 * How the values of a tensor lie in its buffer. Clones and reshapes share their data, and so this.
 */
export const storageOf = (t: { dataId: object }): StorageType =>
  inHalves.has(t.dataId) ? 'float16' : 'float32';
export function storeAsHalves(t: { dataId: object }): void {
  inHalves.add(t.dataId);
}

/** How this tensor is stored where activations are stored as halves: `activation` decides by it. */
export const storageFor = (shape: readonly number[]): StorageType =>
  activations === 'float16' && (shape[shape.length - 1] ?? 0) % 4 === 0 ? 'float16' : 'float32';

/** Runs `fn` with activations stored so: what a program traces, or runs op by op, inside. */
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
 * WGSL to pack and unpack four values. Beyond 65504 `pack2x16float` promises nothing, not even of
 * the other value: there, and for what is no number, the bits of a NaN are written, so that an
 * overflow reaches the norm of the gradients and the update is left out.
 */
export const HALVES = `
fn from_halves(v: vec2u) -> vec4f { return vec4f(unpack2x16float(v.x), unpack2x16float(v.y)); }
fn half_pair(v: vec2f) -> u32 {
  let over = (bitcast<vec2u>(v) & vec2u(0x7fffffffu)) > vec2u(0x477fe000u);
  return pack2x16float(select(v, vec2f(), over)) | select(0u, 0x7fffu, over.x) | select(0u, 0x7fff0000u, over.y);
}
fn to_halves(v: vec4f) -> vec2u { return vec2u(half_pair(v.xy), half_pair(v.zw)); }
`;

/** Values of halves that were read back. */
export function valuesOfHalves(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (h) => {
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    const sign = h >> 15 ? -1 : 1;
    if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
    return (
      sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
    );
  });
}
