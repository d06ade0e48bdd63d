/**
 * Frozen weights that the device keeps in float16, at half the bytes, with float32 activations,
 * adapters, gradients and moments: `dtype: float16` of transformers' `from_pretrained`, under PEFT's
 * `autocast_adapter_dtype`. Kernels unpack what they read and compute in float32.
 */
import type { Spec, Values } from '../backend/index.ts';
import type { Parameter } from './parameters.ts';
import type { FrozenStorage } from './weights.ts';

/** The largest value of float16. */
const LARGEST = 65504;

/**
 * Whether a parameter can be kept in float16: embeddings, matrices and heads whose rows are a
 * multiple of four values. Norms and biases are few, and stay float32.
 */
export function fitsFloat16({ shape, kind }: Pick<Parameter, 'shape' | 'kind'>): boolean {
  const isMatrix = kind === 'embedding' || kind === 'matrix' || kind === 'head';
  return isMatrix && (shape.at(-1) ?? 0) % 4 === 0;
}

/** The first parameter with a value beyond the range of float16, or one that is no number. */
export function beyondFloat16(
  parameters: readonly Parameter[],
  valuesOf: (name: string) => ArrayLike<number> | undefined,
): { name: string; value: number } | null {
  for (const parameter of parameters) {
    if (!fitsFloat16(parameter)) continue;
    const values = valuesOf(parameter.name) ?? [];
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? 0;
      if (!(Math.abs(value) <= LARGEST)) return { name: parameter.name, value };
    }
  }
  return null;
}

/**
 * Keeps frozen weights in float16 on the device. WebGPU only. With `keeps_originals`, the values from
 * before rounding, which checkpoints, exports and merges take, stay in the memory of JavaScript: in two
 * bytes a value if all of a tensor are bfloat16 numbers, as in most published models, else in four.
 */
export class Float16Storage implements FrozenStorage {
  readonly #rounded = new Set<string>();
  readonly #bfloat16 = new Map<string, Uint16Array>();
  readonly #float32 = new Map<string, Float32Array>();
  readonly #keepsOriginals: boolean;

  constructor({ keeps_originals }: { keeps_originals: boolean }) {
    this.#keepsOriginals = keeps_originals;
  }

  specOf(parameter: Parameter): Spec {
    if (!fitsFloat16(parameter)) return parameter;
    this.#rounded.add(parameter.name);
    return { ...parameter, storage: 'float16' };
  }

  keep(name: string, values: Values): void {
    if (!this.#keepsOriginals || !this.#rounded.has(name)) return;
    if (!(values instanceof Float32Array)) return;
    const upper = upperHalves(values);
    if (upper) this.#bfloat16.set(name, upper);
    else this.#float32.set(name, values.slice());
  }

  original(name: string): Float32Array | undefined {
    const upper = this.#bfloat16.get(name);
    if (!upper) return this.#float32.get(name)?.slice();
    const words = new Uint32Array(upper.length);
    for (let i = 0; i < upper.length; i++) words[i] = (upper[i] ?? 0) << 16;
    return new Float32Array(words.buffer);
  }

  /** Bytes in the memory of JavaScript. */
  get bytes(): number {
    const kept = [...this.#bfloat16.values(), ...this.#float32.values()];
    return kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}

/** The upper 16 bits of each value; null if the lower bits of any are not zero. */
function upperHalves(values: Float32Array): Uint16Array | null {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const upper = new Uint16Array(words.length);
  // A table can have 100 million values, and `Uint16Array.from` with a function takes dozens of times as long.
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    if ((word & 0xffff) !== 0) return null;
    upper[i] = word >>> 16;
  }
  return upper;
}
