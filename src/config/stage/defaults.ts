/** Training settings that suit an objective, as a start: learning rate, batch, steps, schedule. */
import type { RunConfig, TrainingConfig } from '../schema.ts';
import type { PeftConfig, StageObjective } from './schema.ts';

/** Up to this many parameters, a model counts as tiny; up to the next, as small. */
const TINY = 5e6;
const SMALL = 50e6;

/**
 * Learning rates of full training by size. Those of large models are TRL's. Models of a few hundred
 * thousand parameters need 10 to 100 times as much, in all published runs at that size.
 */
const LEARNING_RATES: Readonly<Record<StageObjective, readonly [number, number, number]>> = {
  sft: [2e-3, 1e-4, 2e-5],
  reward: [1e-3, 1e-4, 1e-4],
  dpo: [3e-4, 1e-5, 1e-6],
  ppo: [1e-4, 1e-5, 3e-6],
  grpo: [1e-4, 1e-5, 1e-6],
};

/** An adapter takes larger steps than the whole model: 10 times (TRL), 4 times where those are large. */
const LORA_FACTORS = [4, 10, 10] as const;

/** Steps, and examples, pairs or prompts of a batch. */
const SIZES: Readonly<Record<StageObjective, { max_iters: number; batch_size: number }>> = {
  sft: { max_iters: 600, batch_size: 32 },
  reward: { max_iters: 250, batch_size: 16 },
  dpo: { max_iters: 250, batch_size: 16 },
  ppo: { max_iters: 100, batch_size: 32 },
  grpo: { max_iters: 200, batch_size: 16 },
};

const isReinforcement = (objective: StageObjective): boolean =>
  objective === 'ppo' || objective === 'grpo';

/** About as many parameters as the blocks of a model have; the embedding counts little. */
const blockParameters = ({ n_layer, n_embd }: RunConfig['model']): number =>
  12 * n_layer * n_embd ** 2;

function tierOf(parent: RunConfig): 0 | 1 | 2 {
  const parameters = blockParameters(parent.model);
  if (parameters <= TINY) return 0;
  return parameters <= SMALL ? 1 : 2;
}

/**
 * What a stage changes in the training settings of its parent. Everything else, such as the seed and
 * the precision, stays.
 */
export function stageDefaults(
  objective: StageObjective,
  parent: RunConfig,
  peft_type: PeftConfig['peft_type'] = 'none',
): Partial<TrainingConfig> {
  const tier = tierOf(parent);
  const factor = peft_type === 'lora' ? LORA_FACTORS[tier] : 1;
  const learning_rate = Number((LEARNING_RATES[objective][tier] * factor).toPrecision(2));
  const { max_iters, batch_size } = SIZES[objective];
  const constant = isReinforcement(objective);
  return {
    optimizer: 'adamw',
    learning_rate,
    min_lr: constant ? learning_rate : learning_rate / 10,
    lr_schedule: constant ? 'constant' : 'cosine',
    warmup_iters: constant ? 0 : Math.round(max_iters / 20),
    lr_decay_iters: 0,
    max_iters,
    max_tokens: 0,
    max_seconds: 0,
    batch_size,
    gradient_accumulation_steps: 1,
    beta2: 0.99,
    weight_decay: 0,
    grad_clip: 1,
    eval_interval: Math.round(max_iters / 10),
    eval_iters: 4,
    early_stopping_patience: 0,
  };
}
