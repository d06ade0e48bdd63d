/** Generalized advantage estimation (Schulman et al. 2016). */

export interface GaeOptions {
  gamma: number;
  lam: number;
}

export interface Estimates {
  /** A_t = delta_t + gamma lam A_(t+1), with delta_t = r_t + gamma V_(t+1) - V_t. */
  advantages: Float32Array;
  /** A_t + V_t: what the value model learns. */
  returns: Float32Array;
}

/**
 * Of one answer: `rewards` and `values` [tokens], where a value is that of the state before its
 * token. After the last token there is neither reward nor value.
 */
export function generalizedAdvantages(
  rewards: ArrayLike<number>,
  values: ArrayLike<number>,
  { gamma, lam }: GaeOptions,
): Estimates {
  const length = rewards.length;
  const advantages = new Float32Array(length);
  const returns = new Float32Array(length);
  let next = 0;
  for (let t = length - 1; t >= 0; t--) {
    const value = values[t] ?? NaN;
    const delta =
      (rewards[t] ?? NaN) + gamma * (t + 1 < length ? (values[t + 1] ?? NaN) : 0) - value;
    next = delta + gamma * lam * next;
    advantages[t] = next;
    returns[t] = next + value;
  }
  return { advantages, returns };
}
