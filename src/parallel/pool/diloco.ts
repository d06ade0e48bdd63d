/**
 * The outer loop of DiLoCo (Douillard et al. 2023, "DiLoCo: Distributed Low-Communication Training of
 * Language Models", algorithm 1). Each member takes H local AdamW steps on its own shard; the mean of
 * the parameter differences is the gradient of an outer SGD with Nesterov momentum.
 *
 * Every member keeps the global parameters and the outer momentum and applies the same bytes of the
 * mean with the arithmetic of `OuterOptimizer`, whose operations are all rounded to float32. So all
 * members have the same bits without ever sending parameters again.
 */
import { decodeHalves, encodeHalves, type Halves } from './float16.ts';

export interface OuterConfig {
  /** Steps that a member takes between two exchanges (H). */
  local_steps: number;
  /** Learning rate of the outer optimizer; 0.7 in the paper. */
  outer_learning_rate: number;
  /** Nesterov momentum of the outer optimizer; 0.9 in the paper. */
  outer_momentum: number;
}

/** Fewer rounds than this end before a momentum of 0.9 has settled. */
const MANY_ROUNDS = 100;

/**
 * What a room begins with. The paper's outer learning rate is 0.7 and its momentum 0.9, for hundreds
 * of rounds of 500 steps. Small models train for a few hundred steps: with 20 to 60 rounds a momentum
 * of 0.8 ends at a lower loss (bench/pool/README.md).
 */
export function defaultOuter(steps: number): OuterConfig {
  const local_steps = Math.max(1, Math.min(50, Math.round(steps / 40)));
  const rounds = steps / local_steps;
  return {
    local_steps,
    outer_learning_rate: 0.7,
    outer_momentum: rounds >= MANY_ROUNDS ? 0.9 : 0.8,
  };
}

/** What a member needs to be at the same point as the others. */
export interface OuterState {
  /** Rounds that were applied. */
  round: number;
  parameters: Float32Array;
  momentum: Float32Array;
}

/** Nesterov SGD as in PyTorch's `SGD(nesterov=True)`, on the mean of the differences. */
export class OuterOptimizer {
  readonly #config: OuterConfig;
  #state: OuterState;

  /** Takes the arrays of `state`, and changes them. */
  constructor(config: OuterConfig, state: OuterState) {
    this.#config = config;
    this.#state = state;
  }

  static fresh(config: OuterConfig, parameters: Float32Array): OuterOptimizer {
    const momentum = new Float32Array(parameters.length);
    return new OuterOptimizer(config, { round: 0, parameters, momentum });
  }

  /** The current state; its arrays change with the next `apply`. */
  get state(): OuterState {
    return this.#state;
  }

  /** m = mu m + g, then p = p - lr (g + mu m), each operation rounded to float32. */
  apply(mean: Halves): void {
    const gradient = decodeHalves(mean);
    const { parameters, momentum, round } = this.#state;
    const rate = Math.fround(this.#config.outer_learning_rate);
    const mu = Math.fround(this.#config.outer_momentum);
    for (let i = 0; i < gradient.length; i++) {
      const g = gradient[i] ?? 0;
      const m = Math.fround(Math.fround(mu * (momentum[i] ?? 0)) + g);
      momentum[i] = m;
      const ahead = Math.fround(g + Math.fround(mu * m));
      parameters[i] = Math.fround((parameters[i] ?? 0) - Math.fround(rate * ahead));
    }
    this.#state = { parameters, momentum, round: round + 1 };
  }
}

/** What a member sends: the parameters that it started from minus those that it ended with. */
export function outerGradient(start: Float32Array, end: Float32Array): Halves {
  return encodeHalves(start.map((value, i) => value - (end[i] ?? NaN)));
}

/**
 * The mean of the members' differences, as it is sent to everybody. The sum is taken in the order of
 * `contributions`, which the caller sorts by member, so that it does not depend on who was first.
 */
export function meanOf(contributions: readonly Halves[]): Halves {
  const length = contributions[0]?.halves.length ?? 0;
  const sum = new Float64Array(length);
  for (const contribution of contributions) {
    const values = decodeHalves(contribution);
    for (let i = 0; i < length; i++) sum[i] = (sum[i] ?? 0) + (values[i] ?? 0);
  }
  return encodeHalves(Float32Array.from(sum, (value) => value / contributions.length));
}

/** 64 bits that differ, with near certainty, if a single bit of the values does; hexadecimal. */
export function hashOf(values: Float32Array): string {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul((b ^ word) + (b >>> 15), 0x85ebca6b);
  }
  return [a, b ^ (b >>> 13)].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}
