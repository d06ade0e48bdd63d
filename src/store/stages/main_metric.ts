/** The one number by which a model of the tree is judged, by what it learned. */
import type { RunRecord } from '../../protocol/index.ts';
import type { MetricTable } from '../columns.ts';
import { lossText, measure, percent } from '../format.ts';
import { validationLoss } from '../run_status.ts';

export interface MainMetric {
  /** In words, such as "reward". */
  label: string;
  text: string;
}

interface Candidate {
  /** Name of the metric. */
  name: string;
  label: string;
  format: (value: number) => string;
}

const share = (value: number): string => percent(value, 1);

/** In the order of preference: the first that a run has is shown. */
const CANDIDATES: Readonly<Record<string, readonly Candidate[]>> = {
  sft: [{ name: 'val/exact_match', label: 'exact answers', format: share }],
  reward: [{ name: 'val/accuracy', label: 'held-out pairs right', format: share }],
  dpo: [
    { name: 'val/rewards/accuracies', label: 'held-out pairs right', format: share },
    { name: 'rewards/accuracies', label: 'pairs right', format: share },
  ],
  ppo: [
    { name: 'val/true_reward', label: 'true reward', format: measure },
    { name: 'val/reward', label: 'reward', format: measure },
    { name: 'objective/scores', label: 'score', format: measure },
  ],
  grpo: [
    // It learns from what it samples; its likeliest answers may have been right before.
    { name: 'val/pass@1', label: 'sampled answers right', format: share },
    { name: 'val/exact_match', label: 'exact answers', format: share },
    { name: 'val/reward', label: 'held-out reward', format: measure },
    { name: 'reward', label: 'reward', format: measure },
  ],
};

/** Whether the metrics of a run have to be read to judge it; for others the list says enough. */
export const needsHistory = ({ lineage, step }: RunRecord): boolean =>
  step > 0 && CANDIDATES[lineage.objective] !== undefined;

/** `table`: the metrics of the run, if they were read. */
export function mainMetric(record: RunRecord, table: MetricTable | undefined): MainMetric | null {
  if (table === undefined && needsHistory(record)) return null;
  const { lineage } = record;
  for (const { name, label, format } of CANDIDATES[lineage.objective] ?? []) {
    const value = table?.get(name)?.last ?? NaN;
    if (Number.isFinite(value)) return { label, text: format(value) };
  }
  const val_loss = validationLoss(record);
  return val_loss === null ? null : { label: 'validation loss', text: lossText(val_loss) };
}
