/** Advantages of GRPO (Shao et al. 2024, section 4.1.2; TRL's `scale_rewards`). */
import type { StageConfig } from '../../config/stage/index.ts';

export type ScaleRewards = StageConfig['grpo']['scale_rewards'];

/** Keeps groups of nearly equal rewards from dividing by 0 (TRL). */
const STD_EPSILON = 1e-4;

/** Groups whose standard deviation is below this are said to have none (torch.isclose). */
const NO_STD = 1e-8;

export interface GroupAdvantages {
  /** One per answer; answers of a group follow one another. */
  advantages: Float32Array;
  /** Mean of the standard deviations that divide. */
  reward_std: number;
  /** Whether all rewards of a group are equal, so that the group teaches nothing; one per group. */
  no_signal: boolean[];
}

/** Rewards minus the mean of their group, over a standard deviation unless `scale` is `none`. */
export function groupAdvantages(
  rewards: readonly number[],
  group_size: number,
  scale: ScaleRewards,
): GroupAdvantages {
  const advantages = new Float32Array(rewards.length);
  const stds: number[] = [];
  const batchStd = sampleStd(rewards);
  for (let first = 0; first < rewards.length; first += group_size) {
    const group = rewards.slice(first, first + group_size);
    const groupMean = mean(group);
    stds.push(sampleStd(group));
    const divisor = divisorOf(scale, stds.at(-1) ?? 0, batchStd);
    group.forEach((reward, i) => (advantages[first + i] = (reward - groupMean) / divisor));
  }
  return {
    advantages,
    reward_std: scale === 'batch' ? batchStd : mean(stds),
    no_signal: stds.map((std) => std <= NO_STD),
  };
}

function divisorOf(scale: ScaleRewards, groupStd: number, batchStd: number): number {
  switch (scale) {
    case 'group':
      return groupStd + STD_EPSILON;
    case 'batch':
      return batchStd + STD_EPSILON;
    case 'none':
      return 1;
    default:
      return scale satisfies never;
  }
}

/** NaN of no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? NaN;
  return sum / values.length;
}

/** Standard deviation with n - 1; 0 of a single value. */
export function sampleStd(values: ArrayLike<number>): number {
  if (values.length < 2) return 0;
  const center = mean(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += ((values[i] ?? NaN) - center) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}
