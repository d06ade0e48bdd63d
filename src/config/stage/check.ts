/** What would make a stage fail, as far as its settings and its parent tell. */
import type { RunConfig } from '../schema.ts';
import type { StageFieldPath, StageFieldValue } from './fields.ts';
import type { PreferenceName, StageConfig, TaskName } from './schema.ts';

/** Something that would make a stage fail, or teach it nothing. */
export interface StageProblem {
  /** The field to mark; `parent`, `reward_model` and `file` are choices beside the settings. */
  field: StageFieldPath | 'parent' | 'reward_model' | 'file';
  /** What is wrong, in one sentence. */
  message: string;
  /** What would work, in one sentence. */
  hint: string;
  /** One change that solves it, if there is one. */
  fix?: { field: StageFieldPath; value: StageFieldValue };
}

/** What is known besides the settings; a rule whose facts are missing is skipped. */
export interface StageFacts {
  parent: RunConfig | null;
  /** Objective of the parent. */
  parent_objective?: string;
  /** A reward model was chosen. */
  has_reward_model?: boolean;
  /** Why the one that was chosen cannot score the answers (`rewardModelProblem`). */
  reward_model_problem?: StageProblem | null;
  /** A .jsonl file was opened. */
  has_file?: boolean;
  /** Votes that chose one of two answers. */
  votes?: number;
}

/** Preferences that each generated task can make. */
const PREFERENCES_OF: Readonly<Record<Exclude<TaskName, 'own'>, readonly PreferenceName[]>> = {
  tales: ['constraint', 'correct', 'polite', 'short'],
  arithmetic: ['correct'],
  strings: ['correct'],
  definitions: ['correct'],
};

/** Preferences that a task can make: those of a file of the user are in the file. */
export const preferencesOf = (task: TaskName): readonly PreferenceName[] =>
  task === 'own' ? [] : PREFERENCES_OF[task];

/** Whether a stage learns from pairs of answers: two rows of a batch each. */
export const usesPairs = ({ objective }: StageConfig): boolean =>
  objective === 'reward' || objective === 'dpo';

/** The longest answer that a stage samples, in tokens; null where it samples none. */
export function answerLength({ objective, ppo, grpo }: StageConfig): number | null {
  if (objective === 'ppo') return ppo.response_length;
  return objective === 'grpo' ? grpo.max_completion_length : null;
}

export function checkStage(stage: StageConfig, facts: StageFacts): StageProblem[] {
  const rules = [checkParent, checkFile, checkVotes, checkPreference, checkRewards, checkLength];
  return rules.map((rule) => rule(stage, facts)).filter((problem) => problem !== null);
}

function checkParent(stage: StageConfig, facts: StageFacts): StageProblem | null {
  if (!facts.parent)
    return {
      field: 'parent',
      message: 'A stage starts from a trained model.',
      hint: 'Choose one, or train one first.',
    };
  if (facts.parent_objective === 'reward' && stage.objective !== 'reward')
    return {
      field: 'parent',
      message: 'A reward model scores answers and cannot write any.',
      hint: 'Choose the model that it was trained from.',
    };
  if (stage.objective !== 'ppo' || stage.ppo.score !== 'reward_model') return null;
  return facts.has_reward_model ? (facts.reward_model_problem ?? null) : NO_REWARD_MODEL;
}

const NO_REWARD_MODEL: StageProblem = {
  field: 'reward_model',
  message: 'PPO needs a reward model that scores answers.',
  hint: 'Choose one, train one from the same parent first, or let code score (ppo.score).',
  fix: { field: 'ppo.score', value: 'task' },
};

function checkFile({ dataset }: StageConfig, { has_file }: StageFacts): StageProblem | null {
  if (dataset.task !== 'own' || has_file !== false) return null;
  return {
    field: 'file',
    message: 'No file is open.',
    hint: 'Open a .jsonl file with one example per line.',
  };
}

/** Fewer pairs than this teach nothing that can be measured. */
const MIN_VOTES = 2;

function checkVotes(stage: StageConfig, { votes }: StageFacts): StageProblem | null {
  if (!usesPairs(stage) || stage.dataset.votes !== 'only') return null;
  if (votes === undefined || votes >= MIN_VOTES) return null;
  return {
    field: 'dataset.votes',
    message: `There ${votes === 1 ? 'is 1 vote' : `are ${votes} votes`} on answers of this model.`,
    hint: 'Vote on a few pairs first, or learn from generated pairs too.',
    fix: { field: 'dataset.votes', value: 'beside' },
  };
}

function checkPreference(stage: StageConfig): StageProblem | null {
  const { task, preference, votes } = stage.dataset;
  if (!usesPairs(stage) || task === 'own' || votes === 'only') return null;
  const possible = preferencesOf(task);
  const [first] = possible;
  if (!first || possible.includes(preference)) return null;
  return {
    field: 'dataset.preference',
    message: 'This task has no such pairs.',
    hint: `Its pairs are right and wrong answers (${first}).`,
    fix: { field: 'dataset.preference', value: first },
  };
}

function checkRewards({ objective, ppo, rewards }: StageConfig): StageProblem | null {
  const checked = objective === 'grpo' || (objective === 'ppo' && ppo.score === 'task');
  if (!checked) return null;
  if (Object.values(rewards).some((weight) => weight !== 0)) return null;
  return {
    field: 'rewards.correct',
    message: 'Every reward has weight 0, so no answer is better than another.',
    hint: 'Give at least one of them a weight.',
    fix: { field: 'rewards.correct', value: 1 },
  };
}

/** Tokens that a prompt needs at least. */
const MIN_PROMPT = 8;

function checkLength(stage: StageConfig, { parent }: StageFacts): StageProblem | null {
  const length = answerLength(stage);
  if (length === null || !parent) return null;
  const { block_size } = parent.model;
  if (length + MIN_PROMPT <= block_size) return null;
  const field = stage.objective === 'ppo' ? 'ppo.response_length' : 'grpo.max_completion_length';
  const value = Math.max(1, Math.floor(block_size / 2));
  return {
    field,
    message: `The context of the model has ${block_size} tokens, too few for a prompt and an answer of ${length}.`,
    hint: `Allow at most ${value} tokens, or choose a model with a longer context.`,
    fix: { field, value },
  };
}
