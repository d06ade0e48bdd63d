/** The sentence in the bar that describes the state of the run. */
import { count, lossText, spokenDuration } from './format.ts';
import type { RunState } from './run.ts';
import { earnsRewards } from './run_status.ts';

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Seconds left at the current speed; NaN while unknown. */
export function secondsLeft(state: RunState): number {
  const training = state.config?.training;
  if (!training || !(state.rate > 0)) return NaN;
  const bySteps = (training.max_iters - state.step) / state.rate;
  const byTime =
    training.max_seconds > 0 && Number.isFinite(state.seconds)
      ? training.max_seconds - state.seconds
      : Infinity;
  const byTokens =
    training.max_tokens > 0 && state.tokensPerSecond > 0 && Number.isFinite(state.tokens)
      ? (training.max_tokens - state.tokens) / state.tokensPerSecond
      : Infinity;
  return Math.max(0, Math.min(bySteps, byTime, byTokens));
}

function standing(state: RunState): string {
  const total = state.config?.training.max_iters ?? 0;
  const where = `Step ${count(state.step)} of ${count(total)}.`;
  if (!Number.isFinite(state.loss)) return where;
  const from =
    Number.isFinite(state.firstLoss) && state.step > 1 ? `, from ${lossText(state.firstLoss)}` : '';
  return `${where} Loss ${lossText(state.loss)}${from}.`;
}

const FINISHED = {
  max_iters: 'Done.',
  max_tokens: 'Done: the token budget is spent.',
  max_seconds: 'Done: the time is up.',
  early_stopping: 'Stopped early.',
  stopped: 'Stopped.',
} as const;

/** What is being done, ended with a full stop. */
const doing = (detail: string, otherwise: string): string => {
  const text = detail.trim() || otherwise;
  return /[.!?…]$/u.test(text) ? text : `${text}.`;
};

/** "Stopped early at step 900: no better validation loss for 5 evaluations. Best 1.26 at step 400." */
function stoppedEarly({ step, best, config, stage }: RunState): string {
  const patience = config?.training.early_stopping_patience ?? 1;
  const evaluations = patience === 1 ? '1 evaluation' : `${count(patience)} evaluations`;
  const isReward = earnsRewards(stage?.objective);
  const judged = isReward ? 'reward' : 'validation loss';
  const where = `Stopped early at step ${count(step)}: no better ${judged} for ${evaluations}.`;
  if (!best) return where;
  // Of a reward, the negative is kept, so that less is better.
  const score = lossText(isReward ? -best.score : best.score);
  return `${where} Best ${score} at step ${count(best.step)}.`;
}

/** "Step 340 of 5,000. Loss 1.92, from 4.17. About 2 minutes left." */
export function sentence(state: RunState): string {
  if (state.connection === 'dead') return 'The training worker stopped. What was saved is safe.';
  if (state.connection === 'silent')
    return `The training worker has not answered for a while. ${state.run ? standing(state) : ''}`.trim();
  switch (state.phase) {
    case 'idle':
      // The worker was restarted after the run, for example for another backend.
      return state.run ? `Not training. ${standing(state)}` : 'Nothing is training yet.';
    case 'preparing':
      return doing(state.detail, 'Preparing the text');
    case 'compiling':
      return doing(state.detail, 'Compiling the programs for your GPU');
    case 'training': {
      const left = secondsLeft(state);
      return Number.isFinite(left)
        ? `${standing(state)} ${capital(spokenDuration(left))} left.`
        : standing(state);
    }
    case 'evaluating':
      return `${standing(state)} Evaluating.`;
    case 'sampling':
      return `${standing(state)} Writing samples.`;
    case 'saving':
      return `${standing(state)} Saving.`;
    case 'paused':
      return `Paused. ${standing(state)}`;
    case 'recovering':
      return doing(state.detail, 'The GPU was lost; resuming from the last checkpoint');
    case 'done':
      if (state.finished === 'early_stopping') return stoppedEarly(state);
      return `${FINISHED[state.finished ?? 'max_iters']} ${standing(state)}`;
    case 'failed':
      return state.run ? `Training stopped. ${standing(state)}` : 'Nothing is training.';
    default:
      return state.phase satisfies never;
  }
}
