/** What the page says about each field of a stage, and about each objective. */
import type { StageFieldPath } from './fields.ts';
import { DATASET_LABELS, PEFT_LABELS } from './labels_data.ts';
import { DPO_LABELS, REWARD_LABELS, SFT_LABELS } from './labels_pairs.ts';
import { GRPO_LABELS, PPO_LABELS, REWARDS_LABELS } from './labels_rl.ts';
import type { StageLabels, StageLabelText } from './label_types.ts';
import type { StageObjective } from './schema.ts';

/** The label of one field, for a form. */
export interface StageLabel extends StageLabelText {
  /** Its key in the configuration. */
  field: string;
  /** Names of the options of a choice. */
  names?: Readonly<Record<string, string>>;
  /** Descriptions of the options of a choice. */
  options?: Readonly<Record<string, string>>;
}

const LABELS: StageLabels = {
  dataset: DATASET_LABELS,
  peft: PEFT_LABELS,
  sft: SFT_LABELS,
  reward: REWARD_LABELS,
  dpo: DPO_LABELS,
  ppo: PPO_LABELS,
  grpo: GRPO_LABELS,
  rewards: REWARDS_LABELS,
};

// Marked as pure, so that the worker, which needs no labels, is built without them.
const LABELS_BY_PATH: ReadonlyMap<string, StageLabel> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ Object.entries(LABELS).flatMap(([section, fields]) =>
    Object.entries(fields).map(
      ([field, text]: [string, Omit<StageLabel, 'field'>]) =>
        [`${section}.${field}`, { ...text, field }] as const,
    ),
  ),
);

export function stageLabel(path: StageFieldPath): StageLabel {
  const label = LABELS_BY_PATH.get(path);
  if (!label) throw new Error(`The field ${path} has no label.`);
  return label;
}

export interface ObjectiveLabel {
  /** Short, for badges. */
  badge: string;
  name: string;
  /** What the stage does, in one sentence. */
  does: string;
}

/** `pretrain` is no stage, but a model of the tree may be one. */
export const OBJECTIVE_LABELS: Readonly<Record<StageObjective | 'pretrain', ObjectiveLabel>> = {
  pretrain: {
    badge: 'Base',
    name: 'Base model',
    does: 'Learned to continue text.',
  },
  sft: {
    badge: 'SFT',
    name: 'Supervised fine-tuning',
    does: 'Shows the model questions with good answers, so that it answers instead of continuing.',
  },
  reward: {
    badge: 'Reward',
    name: 'Reward model',
    does: 'Learns from pairs of answers to give the better one the higher score.',
  },
  dpo: {
    badge: 'DPO',
    name: 'Direct preference optimization',
    does: 'Makes the better answer of each pair more likely than the worse one, without a reward model.',
  },
  ppo: {
    badge: 'PPO',
    name: 'Reinforcement learning from a reward model',
    does: 'Lets the model write answers and reinforces those that the reward model scores higher than expected.',
  },
  grpo: {
    badge: 'GRPO',
    name: 'Reinforcement learning from checked answers',
    does: 'Lets the model write several answers to each prompt and reinforces those that code finds better.',
  },
};

/** The label of an objective by the name that a lineage has; unknown names are shown as they are. */
export function objectiveLabel(name: string): ObjectiveLabel {
  const known: Readonly<Record<string, ObjectiveLabel>> = OBJECTIVE_LABELS;
  return known[name] ?? { badge: name, name, does: '' };
}
