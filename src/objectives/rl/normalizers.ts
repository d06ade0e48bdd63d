/**
 * The weight of an answer's tokens in GRPO's loss, so that the loss of a step is the weighted sum of
 * its tokens (TRL's `loss_type`): `grpo` averages over tokens of an answer, then over answers (Shao
 * et al. 2024); `bnpo` over the tokens of a micro-batch, then over micro-batches; `dapo` over the
 * tokens of the step (Yu et al. 2025); `dr_grpo` divides by a constant (Liu et al. 2025).
 */
import type { StageConfig } from '../../config/stage/index.ts';

export type GrpoLoss = StageConfig['grpo']['loss_type'];

export interface NormalizerOptions {
  loss_type: GrpoLoss;
  max_completion_length: number;
  /** Micro-batches of the step, of equally many answers. */
  micro_batches: number;
}

/** `lengths`: tokens that count, one per answer of the step; 0 for a masked answer. */
export function answerWeights(
  lengths: readonly number[],
  { loss_type, max_completion_length, micro_batches }: NormalizerOptions,
): number[] {
  const answers = lengths.length;
  const total = sum(lengths);
  switch (loss_type) {
    case 'grpo':
      return lengths.map((length) => 1 / (answers * Math.max(1, length)));
    case 'bnpo':
      return microBatches(lengths, micro_batches).flatMap((group) =>
        group.map(() => 1 / (micro_batches * Math.max(1, sum(group)))),
      );
    case 'dapo':
      return lengths.map(() => 1 / Math.max(1, total));
    case 'dr_grpo':
      return lengths.map(() => 1 / (answers * max_completion_length));
    default:
      return loss_type satisfies never;
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);

function microBatches(lengths: readonly number[], count: number): number[][] {
  const size = lengths.length / count;
  return Array.from({ length: count }, (_, i) => lengths.slice(i * size, (i + 1) * size));
}
