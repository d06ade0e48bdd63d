/**
 * Number formats of safetensors. Weights are read from F32, F16 and BF16; the byte sizes of the
 * others are needed to skip tensors that are not weights, such as GPT-2's `attn.bias` masks. Data is
 * little-endian, as are all machines that run a browser.
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

export interface EncodedTensor {
  dtype: Dtype;
  bytes: Uint8Array;
  /** Name and file, for error messages. */
  name: string;
  file: string;
}

/**
 * Decodes a tensor into a new float32 array. Throws `bad_dtype` unless it is F32, F16 or BF16.
 */
export function toFloat32({ dtype, bytes, name, file }: EncodedTensor): Float32Array {
  if (dtype === 'F32') {
    const values = new Float32Array(bytes.length / 4);
    new Uint8Array(values.buffer).set(bytes);
    return values;
  }
  if (!isWeightDtype(dtype)) throw badDtype(dtype, name, file);
  const values = new Float32Array(bytes.length / 2);
  const bits = new Uint32Array(values.buffer);
  const words = wordsOf(bytes);
  if (dtype === 'BF16') {
    for (let i = 0; i < bits.length; i++) bits[i] = (words[i] ?? 0) << 16;
    return values;
  }
  const table = float16Table();
  for (let i = 0; i < bits.length; i++) bits[i] = table[words[i] ?? 0] ?? 0;
  return values;
}

/** A view of 16-bit numbers, or a copy where the bytes are not aligned. */
function wordsOf(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, length } = byteOffsetIsEven(bytes) ? bytes : bytes.slice();
  return new Uint16Array(buffer, byteOffset, length / 2);
}

const byteOffsetIsEven = ({ byteOffset }: Uint8Array): boolean => byteOffset % 2 === 0;

/**
 * Bits of the exponent in the upper half of a number. If all of them are set, it is infinite or not a
 * number.
 */
const EXPONENT = { F32: 0x7f80, BF16: 0x7f80, F16: 0x7c00 } as const;

/**
 * Whether no value is NaN or infinite, without decoding them. Throws `bad_dtype` unless it is F32,
 * F16 or BF16.
 */
export function allFinite({ dtype, bytes, name, file }: EncodedTensor): boolean {
  if (!isWeightDtype(dtype)) throw badDtype(dtype, name, file);
  const words = wordsOf(bytes);
  const exponent = EXPONENT[dtype];
  const step = dtype === 'F32' ? 2 : 1;
  for (let i = step - 1; i < words.length; i += step) {
    if (((words[i] ?? 0) & exponent) === exponent) return false;
  }
  return true;
}

const isWeightDtype = (dtype: Dtype): dtype is keyof typeof EXPONENT =>
  Object.hasOwn(EXPONENT, dtype);

const badDtype = (dtype: Dtype, name: string, file: string) =>
  damaged(
    'bad_dtype',
    file,
    `the weights ${name} are ${dtype}, and only F32, F16 and BF16 can be read`,
  );

let float16Bits: Uint32Array | undefined;

/** The float32 bits of all 65536 float16 values (IEEE 754 binary16), computed once. */
function float16Table(): Uint32Array {
  if (float16Bits) return float16Bits;
  const values = new Float32Array(1 << 16);
  const bits = new Uint32Array(values.buffer);
  for (let half = 0; half < 1 << 16; half++) {
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const sign = (half & 0x8000) * 0x10000;
    if (exponent === 0) {
      values[half] = fraction * 2 ** -24;
      bits[half] = (bits[half] ?? 0) + sign;
    } else {
      const exponent32 = exponent === 31 ? 255 : exponent + 112;
      bits[half] = sign + ((exponent32 << 23) >>> 0) + (fraction << 13);
    }
  }
  float16Bits = bits;
  return bits;
}
