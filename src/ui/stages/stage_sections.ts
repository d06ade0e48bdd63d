/** Which options of a stage are shown, and which of them fold under "More options". */
import {
  stageFields,
  type StageConfig,
  type StageFieldPath,
  type StageSection,
} from '../../config/stage/index.ts';
import type { FieldPath } from '../../config/index.ts';

/** Options that matter most, in the order shown. */
const FIRST: Readonly<Record<StageSection, readonly StageFieldPath[]>> = {
  dataset: [
    'dataset.task',
    'dataset.ask',
    'dataset.size',
    'dataset.format',
    'dataset.digits',
    'dataset.preference',
    'dataset.label_noise',
    'dataset.margin',
    'dataset.votes',
    'dataset.malformed',
  ],
  peft: ['peft.peft_type', 'peft.r', 'peft.lora_alpha'],
  sft: ['sft.completion_only_loss'],
  reward: ['reward.center_rewards_coefficient'],
  dpo: ['dpo.beta', 'dpo.loss_type', 'dpo.sft_weight', 'dpo.label_smoothing'],
  ppo: ['ppo.score', 'ppo.kl_coef', 'ppo.response_length', 'ppo.missing_eos_penalty'],
  grpo: ['grpo.num_generations', 'grpo.max_completion_length', 'grpo.temperature', 'grpo.beta'],
  rewards: ['rewards.correct', 'rewards.well_formed', 'rewards.ends', 'rewards.brief'],
};

type Condition = (stage: StageConfig) => boolean;

const isGenerated: Condition = ({ dataset }) => dataset.task !== 'own';
const isArithmetic: Condition = ({ dataset }) => dataset.task === 'arithmetic';
const usesPairs: Condition = ({ objective }) => objective === 'reward' || objective === 'dpo';
const generatesPairs: Condition = (stage) =>
  usesPairs(stage) && isGenerated(stage) && stage.dataset.votes !== 'only';
const isLora: Condition = ({ peft }) => peft.peft_type === 'lora';

/** Options that have an effect only under a condition. */
const CONDITIONS: Partial<Record<StageFieldPath, Condition>> = {
  'dataset.seed': isGenerated,
  'dataset.size': isGenerated,
  'dataset.eval_size': isGenerated,
  'dataset.ask': (stage) => stage.dataset.task === 'tales' && !usesPairs(stage),
  'dataset.format': isArithmetic,
  'dataset.digits': isArithmetic,
  'dataset.preference': (stage) =>
    generatesPairs(stage) || (stage.objective === 'ppo' && stage.ppo.score === 'reward_model'),
  'dataset.label_noise': generatesPairs,
  'dataset.margin': (stage) => stage.objective === 'reward' && generatesPairs(stage),
  'dataset.votes': usesPairs,
  'dataset.malformed': (stage) => !isGenerated(stage),
  'peft.r': isLora,
  'peft.lora_alpha': isLora,
  'peft.lora_dropout': isLora,
  'peft.target_modules': isLora,
  'peft.dtype': isLora,
  'dpo.label_smoothing': ({ dpo }) => dpo.loss_type === 'robust',
  'ppo.target_kl': ({ ppo }) => ppo.adap_kl_ctrl,
};

const isShown = (path: StageFieldPath, stage: StageConfig): boolean =>
  CONDITIONS[path]?.(stage) ?? true;

export interface ShownFields {
  first: readonly StageFieldPath[];
  more: readonly StageFieldPath[];
}

/** The options of a section that have an effect. */
export function shownFields(section: StageSection, stage: StageConfig): ShownFields {
  const shown = (path: StageFieldPath): boolean => isShown(path, stage);
  const first = FIRST[section];
  return {
    first: first.filter(shown),
    more: stageFields(section).filter((path) => !first.includes(path) && shown(path)),
  };
}

/** Options of the training loop that a stage is started with. */
export const TRAINING_FIRST: readonly FieldPath[] = [
  'training.learning_rate',
  'training.max_iters',
  'training.batch_size',
];
export const TRAINING_MORE: readonly FieldPath[] = [
  'training.optimizer',
  'training.lr_schedule',
  'training.min_lr',
  'training.warmup_iters',
  'training.gradient_accumulation_steps',
  'training.grad_clip',
  'training.weight_decay',
  'training.eval_interval',
  'training.early_stopping_patience',
  'training.seed',
  'training.mixed_precision',
  'training.activation_checkpointing',
  'training.recompute_granularity',
];
