/** Evaluations of the scripted worker: plausible numbers that depend on the model's objective. */
import type { CheckpointName, EvaluationRecord } from '../common/index.ts';
import { meanInterval, wilson } from '../evaluation/index.ts';
import type { EvaluateCommand } from '../protocol/index.ts';

/** Share of right answers by objective. */
const RIGHT: Readonly<Record<string, number>> = {
  pretrain: 0.04,
  sft: 0.81,
  dpo: 0.84,
  grpo: 0.92,
};

export function fakeEvaluation(
  { measure, dataset, settings }: EvaluateCommand,
  model: CheckpointName,
  objective: string,
): EvaluationRecord {
  const { eval_size: n, task, preference } = dataset;
  const share = RIGHT[objective] ?? 0.5;
  const items = Array.from({ length: n }, (_, i) => (((i * 37) % 100) / 100 < share ? 1 : 0));
  const right = items.reduce((sum: number, item) => sum + item, 0);
  const answers = measure.includes('answers')
    ? [{ metric: 'exact_match', ...wilson(right, n), interval: 'wilson', items } as const]
    : [];
  const rewards = measure.includes('rewards')
    ? [{ metric: 'true_reward', ...meanInterval(items), interval: 'mean' } as const]
    : [];
  return {
    at: Date.now(),
    model,
    objective,
    parent: null,
    reward_model: null,
    settings: { ...settings, task, preference, items: n, variant: '' },
    seconds: 1,
    values: [...answers, ...rewards],
    notes: [],
  };
}
