/** What answers score: the rewards that code checks, by their weights in the stage. */
import type { StageConfig } from '../../config/stage/index.ts';
import { type Answer, DataError, type EncodedPrompt, type StageData } from '../../data/index.ts';
import type { Rollout } from '../../rollout/index.ts';

/** A sampled answer as checkers read it. */
export function answerOf(data: StageData, { ids, ended }: Rollout, max_tokens: number): Answer {
  const { text } = data.chat.answerOf(ids);
  return { text, ended, tokens: ids.length, max_tokens };
}

/**
 * Every reward of an answer by name, and `reward`, their weighted sum (TRL: `reward_weights`).
 *
 * @throws DataError no_reward if a reward is not a number
 */
export function rewardsOf(
  { data, stage }: { data: StageData; stage: StageConfig },
  prompt: EncodedPrompt,
  answer: Answer,
): Record<string, number> {
  const rewards: Record<string, number> = {};
  let reward = 0;
  for (const checked of data.rewards) {
    const { name } = checked;
    const value = checked.score(prompt.example, answer);
    if (!Number.isFinite(value)) {
      throw new DataError(
        'no_reward',
        `The reward “${name}” of the answer “${answer.text}” is not a number.`,
        'Take it out of the rewards of this stage, or correct the task.',
      );
    }
    rewards[name] = value;
    reward += weightOf(stage, name) * value;
  }
  return { ...rewards, reward };
}

/**
 * Checks before training that some reward counts.
 *
 * @throws DataError no_reward if none does
 */
export function requireRewards({ data, stage }: { data: StageData; stage: StageConfig }): void {
  const known = data.rewards.map(({ name }) => name);
  if (known.some((name) => weightOf(stage, name) !== 0)) return;
  throw new DataError(
    'no_reward',
    'No reward that these data can give has a weight, so there is nothing to learn from.',
    known.length > 0
      ? `Give one of them a weight other than 0: ${known.join(', ')}.`
      : 'Use data with an "answer" to each prompt, which code can check.',
  );
}

function weightOf({ rewards }: StageConfig, name: string): number {
  return Object.entries(rewards).find(([key]) => key === name)?.[1] ?? 0;
}

/** Rollouts in a row without any signal after which the user is told. */
const PATIENCE = 10;

/** Notices that all answers of every group have had the same reward for some time. */
export class ConstantRewards {
  #inARow = 0;
  #notice: string | null = null;

  /** Share of the groups of a rollout whose rewards are all equal. */
  add(share: number): void {
    this.#inARow = share === 1 ? this.#inARow + 1 : 0;
    if (this.#inARow !== PATIENCE) return;
    this.#notice =
      `All answers to each prompt have had the same reward ${PATIENCE} times in a row, so the model ` +
      'learns nothing: choose an easier or harder task, a higher temperature, or another reward.';
  }

  takeNotice(): string | null {
    const notice = this.#notice;
    this.#notice = null;
    return notice;
  }
}
