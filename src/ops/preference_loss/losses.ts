/**
 * Direct preference optimization's losses as functions of a difference d of log-ratios, in float64.
 * Names are TRL's `loss_type`.
 */
import { softplusOf } from '../pair_loss/pair_loss.ts';

/**
 * `sigmoid`: Rafailov et al. 2023, equation 7. `ipo`: Azar et al. 2023, equation 17. `hinge`: Zhao et
 * al. 2023 (SLiC). `robust`: Chowdhury et al. 2024, equation 13. `sigmoid_norm`: sigmoid on means over
 * tokens (Lambert et al. 2024, section 5.1.2). Kernels know them by their index.
 */
export const PREFERENCE_LOSSES = ['sigmoid', 'ipo', 'hinge', 'robust', 'sigmoid_norm'] as const;

export interface PreferenceLossAttrs {
  loss_type: (typeof PREFERENCE_LOSSES)[number];
  beta: number;
  /** Share of pairs that are assumed to be swapped; only `robust` uses it. */
  label_smoothing: number;
}

/** Whether a loss compares means over tokens; the others compare sums. */
export function averagesTokens({ loss_type }: PreferenceLossAttrs): boolean {
  return loss_type === 'ipo' || loss_type === 'sigmoid_norm';
}

/** The loss of one pair. */
export function preferenceLossOf(d: number, attrs: PreferenceLossAttrs): number {
  const { loss_type, beta, label_smoothing: epsilon } = attrs;
  const x = beta * d;
  switch (loss_type) {
    case 'sigmoid':
    case 'sigmoid_norm':
      return softplusOf(-x);
    case 'hinge':
      return Math.max(1 - x, 0);
    case 'ipo':
      return (d - 1 / (2 * beta)) ** 2;
    case 'robust':
      return ((1 - epsilon) * softplusOf(-x) - epsilon * softplusOf(x)) / (1 - 2 * epsilon);
    default:
      return loss_type satisfies never;
  }
}

/** Its derivative by d. */
export function preferenceSlopeOf(d: number, attrs: PreferenceLossAttrs): number {
  const { loss_type, beta, label_smoothing: epsilon } = attrs;
  const x = beta * d;
  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
  switch (loss_type) {
    case 'sigmoid':
    case 'sigmoid_norm':
      return -beta * sigmoid(-x);
    case 'hinge':
      return x < 1 ? -beta : 0;
    case 'ipo':
      return 2 * (d - 1 / (2 * beta));
    case 'robust':
      return (-beta * ((1 - epsilon) * sigmoid(-x) + epsilon * sigmoid(x))) / (1 - 2 * epsilon);
    default:
      return loss_type satisfies never;
  }
}
