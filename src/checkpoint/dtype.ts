/**
 * Number formats of a safetensors file. Weights are read from F32, F16 and BF16; the other sizes
 * are known so that a file which also holds masks or counters (GPT-2's `attn.bias`) can be walked
 * over. Little-endian, as the format is and as every machine with a browser is.
 */
import { damaged } from './error.ts';

export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const;
export type Dtype = keyof typeof DTYPE_BYTES;

export const isDtype = (name: unknown): name is Dtype =>
  typeof name === 'string' && Object.hasOwn(DTYPE_BYTES, name);

/**
 * Values of a tensor as float32, in memory of their own. Throws `bad_dtype` for a format that holds
 * no weights.
 */
export function toFloat32(
  dtype: Dtype,
  bytes: Uint8Array,
  name: string,
  file: string,
): Float32Array {
  if (dtype === 'F32') {
    const out = new Float32Array(bytes.length / 4);
    new Uint8Array(out.buffer).set(bytes);
    return out;
  }
  if (dtype !== 'F16' && dtype !== 'BF16')
    throw damaged(
      'bad_dtype',
      file,
      `the weights ${name} are ${dtype}, and only F32, F16 and BF16 can be read`,
    );
  const out = new Float32Array(bytes.length / 2);
  const bits = new Uint32Array(out.buffer);
  const table = dtype === 'F16' ? halfTable() : null;
  for (let i = 0; i < bits.length; i++) {
    const half = (bytes[2 * i] ?? 0) | ((bytes[2 * i + 1] ?? 0) << 8);
    bits[i] = table ? (table[half] ?? 0) : half << 16;
  }
  return out;
}

let halves: Uint32Array | undefined;

/** float32 bits of each of the 65536 half-precision numbers (IEEE 754 binary16). */
function halfTable(): Uint32Array {
  if (halves) return halves;
  const value = new Float32Array(1 << 16);
  const bits = new Uint32Array(value.buffer);
  for (let h = 0; h < 1 << 16; h++) {
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    const sign = (h & 0x8000) * 0x10000;
    if (exponent === 0) {
      value[h] = fraction * 2 ** -24;
      bits[h] = (bits[h] ?? 0) + sign;
    } else {
      bits[h] = sign + (((exponent === 31 ? 255 : exponent + 112) << 23) >>> 0) + (fraction << 13);
    }
  }
  return (halves = bits);
}
