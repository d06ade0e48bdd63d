/**
 * StageConfig: what a stage after pretraining (SFT, reward model, DPO, PPO, GRPO) learns and from
 * what, in the names of TRL 1.10 and PEFT 0.21. It lies beside the RunConfig, which still decides
 * model, optimizer, schedule, sampling and backend. A run keeps it in `stage.json`.
 *
 * Where a default differs from TRL's, the label of the field says TRL's and the reason.
 */
import * as v from 'valibot';

const int = (min: number, max: number, fallback: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max)), fallback);
const num = (min: number, max: number, fallback: number) =>
  v.optional(v.pipe(v.number(), v.finite(), v.minValue(min), v.maxValue(max)), fallback);
const flag = (fallback: boolean) => v.optional(v.boolean(), fallback);
const choice = <const T extends readonly [string, ...string[]]>(options: T, fallback: T[number]) =>
  v.optional(v.picklist(options), fallback);

export const STAGE_OBJECTIVES = ['sft', 'reward', 'dpo', 'ppo', 'grpo'] as const;
export const TASKS = ['tales', 'arithmetic', 'strings', 'definitions', 'own'] as const;
export const ARITHMETIC_FORMATS = ['plain', 'reversed', 'scratchpad'] as const;
export const ASKED = ['all', 'questions', 'stories'] as const;
export const PREFERENCES = ['constraint', 'correct', 'polite', 'short'] as const;
export const VOTES = ['none', 'beside', 'only'] as const;
export const MALFORMED = ['refuse', 'skip'] as const;
export const PEFT_TYPES = ['none', 'lora'] as const;
export const DTYPES = ['float32', 'float16'] as const;
export const TARGET_MODULES = ['all-linear', 'attention', 'mlp'] as const;
export const DPO_LOSSES = ['sigmoid', 'ipo', 'hinge', 'robust', 'sigmoid_norm'] as const;
export const KL_ESTIMATORS = ['k1', 'k3'] as const;
export const PPO_SCORES = ['reward_model', 'task'] as const;
export const GRPO_LOSSES = ['grpo', 'dr_grpo', 'dapo', 'bnpo'] as const;
export const SCALE_REWARDS = ['group', 'batch', 'none'] as const;

/** Where the examples come from. */
export const DatasetSchema = v.strictObject({
  /** A generated task of `data/tasks`, or `own`: the .jsonl file that the user opened. */
  task: choice(TASKS, 'tales'),
  /** Seed of the generator. */
  seed: int(0, 2 ** 31 - 1, 1),
  /** Training examples (pairs, prompts) that are generated. */
  size: int(1, 1_000_000, 2000),
  /** Held-out examples. */
  eval_size: int(1, 100_000, 200),
  /** What the prompts ask for (task tales): questions about a story, stories, or both. */
  ask: choice(ASKED, 'all'),
  /**
   * Share of the stories that SFT learns from which break a part of what was asked (task tales): a
   * model of careless examples, which later stages can improve.
   */
  broken_share: num(0, 1, 0),
  /** How sums are written (task arithmetic). */
  format: choice(ARITHMETIC_FORMATS, 'reversed'),
  /** Digits of the operands (task arithmetic). */
  digits: int(1, 6, 3),
  /** Which of two answers is preferred (generated pairs). */
  preference: choice(PREFERENCES, 'constraint'),
  /** Share of the training pairs whose answers are swapped. */
  label_noise: num(0, 0.5, 0),
  /** Margin of a generated pair, per unit of true reward between its answers (reward models). */
  margin: num(0, 20, 0),
  /** Whether the user's votes train: beside the other pairs, or alone. */
  votes: choice(VOTES, 'none'),
  /** What happens to lines of a .jsonl file that cannot be read. */
  malformed: choice(MALFORMED, 'refuse'),
});

/** LoRA (Hu et al. 2021), as in PEFT's LoraConfig. */
export const PeftSchema = v.strictObject({
  peft_type: choice(PEFT_TYPES, 'none'),
  r: int(1, 256, 8),
  lora_alpha: num(0.001, 1024, 16),
  lora_dropout: num(0, 0.9, 0),
  target_modules: choice(TARGET_MODULES, 'all-linear'),
  /**
   * How the device keeps the frozen weights (transformers' `dtype`). Everything that trains, and all
   * arithmetic, stays float32, as under PEFT's `autocast_adapter_dtype`.
   */
  dtype: choice(DTYPES, 'float32'),
});

export const SftSchema = v.strictObject({
  /** Loss on completions and assistant turns with their end token only; otherwise on everything. */
  completion_only_loss: flag(true),
  /** Several examples share a row; no token attends to another example. */
  packing: flag(false),
});

export const RewardSchema = v.strictObject({
  /** Factor of mean((r_chosen + r_rejected)^2), which keeps scores near 0; 0 means off. */
  center_rewards_coefficient: num(0, 10, 0),
  /** Dropout is off, as the labels of pairs are noisy enough. */
  disable_dropout: flag(true),
});

export const DpoSchema = v.strictObject({
  beta: num(0.001, 10, 0.1),
  loss_type: choice(DPO_LOSSES, 'sigmoid'),
  /** Only `robust` uses it. */
  label_smoothing: num(0, 0.49, 0),
  /** Weight of an SFT loss on the chosen answer (TRL: loss_type ["sigmoid", "sft"]); 0 means none. */
  sft_weight: num(0, 10, 0),
  disable_dropout: flag(true),
});

export const PpoSchema = v.strictObject({
  num_ppo_epochs: int(1, 16, 4),
  num_mini_batches: int(1, 64, 1),
  response_length: int(1, 1024, 32),
  temperature: num(0.1, 5, 1),
  /** Subtracted from the score of an answer that does not end by itself; 0 means nothing. */
  missing_eos_penalty: num(0, 100, 1),
  kl_coef: num(0, 10, 0.05),
  kl_estimator: choice(KL_ESTIMATORS, 'k1'),
  /** Adapts kl_coef to `target_kl` (Ziegler et al. 2019). */
  adap_kl_ctrl: flag(false),
  /** Wanted KL of a sequence, nats. */
  target_kl: num(0.1, 100, 6),
  cliprange: num(0.01, 1, 0.2),
  vf_coef: num(0, 10, 0.1),
  cliprange_value: num(0.01, 10, 0.2),
  gamma: num(0, 1, 1),
  lam: num(0, 1, 0.95),
  whiten_rewards: flag(false),
  /** What scores an answer: the reward model, or the rewards that code checks. */
  score: choice(PPO_SCORES, 'reward_model'),
});

export const GrpoSchema = v.strictObject({
  num_generations: int(2, 64, 8),
  max_completion_length: int(1, 1024, 32),
  temperature: num(0.1, 5, 1),
  /** Weight of the KL term; 0 means that there is no reference model. */
  beta: num(0, 10, 0),
  num_iterations: int(1, 16, 1),
  epsilon: num(0.01, 1, 0.2),
  /** Upper clip; 0 means epsilon. */
  epsilon_high: num(0, 1, 0),
  scale_rewards: choice(SCALE_REWARDS, 'group'),
  loss_type: choice(GRPO_LOSSES, 'dapo'),
  mask_truncated_completions: flag(false),
});

/** Weights of the rewards that code checks (TRL: reward_funcs and reward_weights). */
export const RewardsSchema = v.strictObject({
  /** 1 for the right answer (or a kept constraint), else 0. */
  correct: num(-10, 10, 1),
  /** 1 for an answer in the form of the task, right or wrong. */
  well_formed: num(-10, 10, 0),
  /** 1 for an answer that ends by itself. */
  ends: num(-10, 10, 0),
  /** 1 minus the share of the allowed length that the answer takes. */
  brief: num(-10, 10, 0),
});

export const StageConfigSchema = v.strictObject({
  objective: choice(STAGE_OBJECTIVES, 'sft'),
  dataset: v.optional(DatasetSchema, {}),
  peft: v.optional(PeftSchema, {}),
  sft: v.optional(SftSchema, {}),
  reward: v.optional(RewardSchema, {}),
  dpo: v.optional(DpoSchema, {}),
  ppo: v.optional(PpoSchema, {}),
  grpo: v.optional(GrpoSchema, {}),
  rewards: v.optional(RewardsSchema, {}),
});

export type StageConfig = v.InferOutput<typeof StageConfigSchema>;
/** What a recipe or a preset says of a stage: the rest takes its defaults. */
export type StageInput = v.InferInput<typeof StageConfigSchema>;
export type StageObjective = (typeof STAGE_OBJECTIVES)[number];
export type TaskName = (typeof TASKS)[number];
export type PreferenceName = (typeof PREFERENCES)[number];
export type RewardName = keyof StageConfig['rewards'];
export type PeftConfig = StageConfig['peft'];
