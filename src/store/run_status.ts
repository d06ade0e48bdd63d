/** What a saved run is doing, for the list. */
import type { RunPhase, RunRecord } from '../protocol/index.ts';
import { isActive } from './run_state.ts';

export type RunStatus = 'here' | 'elsewhere' | 'not_saved' | 'paused' | 'done';

/** `current`: the run in this tab's worker. */
export function runStatus(
  record: RunRecord,
  current: { run: string | null; phase: RunPhase },
): RunStatus {
  const isHere = current.run === record.run;
  if (isHere && isActive(current.phase)) return 'here';
  if (record.locked && !isHere) return 'elsewhere';
  if (!record.resumable) return 'not_saved';
  return record.step >= record.max_iters ? 'done' : 'paused';
}

/** Whether a run is judged by a reward on held-out prompts, and not by a loss. */
export const earnsRewards = (objective: string | undefined): boolean =>
  objective === 'ppo' || objective === 'grpo';

/** The best validation loss; null before the first evaluation, and where a reward is the score. */
export const validationLoss = ({ lineage, val_loss }: RunRecord): number | null =>
  earnsRewards(lineage.objective) ? null : val_loss;

/** Its best checkpoint is kept, and training went on after it. */
export const hasEarlierBest = ({ best, step, resumable }: RunRecord): boolean =>
  resumable && best != null && best.step < step;

export const STATUS_TEXT: Record<RunStatus, string> = {
  here: 'Open here',
  elsewhere: 'Open in another tab',
  not_saved: 'Not saved',
  paused: 'Paused',
  done: 'Done',
};
