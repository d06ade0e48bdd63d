/** Bytes by kind that a stage after pretraining allocates, and the disk that its lineage takes. */
import {
  logitsBytes,
  recomputeGranularity,
  type ResolvedModel,
  resolveModel,
  type RunConfig,
  type TrainingConfig,
} from '../config/index.ts';
import type { PeftConfig, StageConfig } from '../config/stage/index.ts';
import { inputValues } from './activations.ts';
import { adaptedBlock } from './adapted_block.ts';
import { float16Values } from './float16.ts';
import { keptBytes, type MemoryPlan, momentsPerParameter, transientBytes } from './memory.ts';
import { countParameters } from './parameters.ts';

/** What the plan needs to know beyond RunConfig and StageConfig. */
export interface StageFacts {
  /** Rows of the embedding, with those that the stage adds. */
  vocab_size: number;
  /** Tokens of the longest example; by default, the whole context. */
  row_length?: number | undefined;
  /** Largest binding of the device, if known. */
  max_binding_size?: number | undefined;
}

/** The models of a stage, in parameters. */
export interface StageParameters {
  /** The model itself: frozen with LoRA. */
  base: number;
  adapters: number;
  /** PPO's value model, which trains. */
  value_model: number;
  /** PPO's reward model, which is frozen. */
  reward_model: number;
  /** The frozen copy of the starting weights; none with LoRA. */
  reference: number;
  /** Those of the above that have gradients and moments. */
  trainable: number;
}

/** Bytes by kind; weights are told apart by the model that they belong to. */
export interface StageMemory extends Omit<MemoryPlan, 'weights'> {
  base: number;
  adapters: number;
  value_model: number;
  reward_model: number;
  reference: number;
}

/** The shape of a micro-batch. */
export interface StageRows {
  rows: number;
  row_length: number;
}

const FLOAT = 4;

/** Rows of the passes for one example of a batch: a pair is two, a prompt has several answers. */
export function rowsPerExample({ objective, grpo }: StageConfig): number {
  if (objective === 'dpo' || objective === 'reward') return 2;
  return objective === 'grpo' ? grpo.num_generations : 1;
}

/** Rows of a micro-batch and tokens of a row. */
export function stageRows(config: RunConfig, stage: StageConfig, facts: StageFacts): StageRows {
  const { batch_size } = config.training;
  const { block_size } = config.model;
  return {
    rows: rowsPerExample(stage) * batch_size,
    row_length: Math.min(block_size, facts.row_length ?? block_size),
  };
}

/** Whether the objective compares with the weights that the stage started from. */
export function hasReference({ objective, grpo }: StageConfig): boolean {
  return objective === 'dpo' || objective === 'ppo' || (objective === 'grpo' && grpo.beta > 0);
}

/** Parameters by model. */
export function stageParameters(model: ResolvedModel, stage: StageConfig): StageParameters {
  const { objective, peft, ppo } = stage;
  const base = countParameters(model).total;
  const scoring = base + model.n_embd;
  const isPpo = objective === 'ppo';
  const isLora = peft.peft_type === 'lora';
  const adapters = isLora ? adapterParameters(model, peft) : 0;
  const value_model = isPpo ? scoring : 0;
  const head = objective === 'reward' ? model.n_embd : 0;
  return {
    base: base + head,
    adapters,
    value_model,
    reward_model: isPpo && ppo.score === 'reward_model' ? scoring : 0,
    reference: hasReference(stage) && !isLora ? base : 0,
    trainable: (isLora ? adapters : base) + value_model + head,
  };
}

/** Values of lora_A and lora_B of every adapted layer. */
export function adapterParameters(
  model: ResolvedModel,
  { r, target_modules }: Pick<PeftConfig, 'r' | 'target_modules'>,
): number {
  const { n_embd: d, n_inner: f, n_head, n_kv_head, head_dim, n_layer } = model;
  const q = n_head * head_dim;
  const qkv = q + 2 * n_kv_head * head_dim;
  const isGpt2 = model.layout === 'gpt2';
  // Parts that are packed side by side have a lora_A each.
  const attention = (isGpt2 ? 1 : 3) * d + qkv + (q + d);
  const mlp = isGpt2 ? 2 * (d + f) : 2 * d + 2 * f + (f + d);
  const has = (part: 'attention' | 'mlp'): boolean =>
    target_modules === 'all-linear' || target_modules === part;
  return n_layer * r * ((has('attention') ? attention : 0) + (has('mlp') ? mlp : 0));
}

/** The memory of a stage on WebGPU or on the engine. */
export function planStageMemory(
  config: RunConfig,
  stage: StageConfig,
  facts: StageFacts,
): StageMemory {
  const model = resolveModel(config.model, facts.vocab_size);
  const counts = stageParameters(model, stage);
  const { rows, row_length } = stageRows(config, stage, facts);
  const shaped = { ...model, block_size: row_length };
  const training = { ...config.training, batch_size: rows };
  // The policy and the value model go forth and back together.
  const passes = stage.objective === 'ppo' ? 2 : 1;
  const logits = logitsBytes(shaped, training, facts.max_binding_size);
  const peak = transientBytes(shaped, training);
  const granularity = recomputeGranularity(training);
  const adapted =
    stage.peft.peft_type === 'lora' ? adaptedBlock(shaped, stage.peft, granularity) : undefined;
  const kept = (passes - 1) * keptBytes(shaped, training) + keptBytes(shaped, training, adapted);
  const saved = savedByFloat16(model, stage);
  const kinds = {
    base: FLOAT * counts.base - saved,
    adapters: FLOAT * counts.adapters,
    value_model: FLOAT * counts.value_model,
    reward_model: Math.max(0, FLOAT * counts.reward_model - saved),
    reference: FLOAT * counts.reference,
    gradients: FLOAT * counts.trainable,
    optimizer: Math.round(FLOAT * counts.trainable * momentsPerParameter(model, training)),
    activations: kept + Math.max(0, peak - logits),
    logits,
    inputs: FLOAT * inputValues(shaped, rows * row_length),
    cache: cacheBytes(model, config, stage),
  };
  return { ...kinds, total: Object.values(kinds).reduce((a, b) => a + b, 0) };
}

/** Bytes that float16 saves of each frozen model of a stage with LoRA. */
function savedByFloat16(model: ResolvedModel, { peft }: StageConfig): number {
  const isFloat16 = peft.peft_type === 'lora' && peft.dtype === 'float16';
  return isFloat16 ? (FLOAT / 2) * float16Values(model) : 0;
}

/**
 * Bytes in the memory of JavaScript, until the run ends, of frozen weights that the device keeps in
 * float16: their values from before rounding, which checkpoints take. Numbers of bfloat16, as in most
 * published models, take half as much (`model/frozen_float16.ts`).
 */
export function originalBytes(model: ResolvedModel, stage: StageConfig): number {
  const { reward_model } = stageParameters(model, stage);
  const frozenModels = reward_model > 0 ? 2 : 1;
  // Saved are two of four bytes of each value.
  return 2 * frozenModels * savedByFloat16(model, stage);
}

/** Answers that are sampled at once at most (`train/rollout_pool.ts`). */
export const MOST_ROLLOUT_ROWS = 256;
/** Held-out prompts that an evaluation of GRPO or PPO answers at most (`objectives/rl/measure.ts`). */
const ANSWERED_PROMPTS = 200;

/** Answers that GRPO or PPO samples at once: a phase of training, or of an evaluation; else 0. */
export function rolloutRows(
  { batch_size, gradient_accumulation_steps }: StepBatch,
  { objective, grpo, ppo }: StageConfig,
  held_out_prompts = ANSWERED_PROMPTS,
): number {
  if (objective !== 'ppo' && objective !== 'grpo') return 0;
  const answers = objective === 'ppo' ? ppo.num_mini_batches : grpo.num_generations;
  const prompts = batch_size * gradient_accumulation_steps;
  return Math.max(prompts * answers, Math.min(ANSWERED_PROMPTS, held_out_prompts));
}

type StepBatch = Pick<TrainingConfig, 'batch_size' | 'gradient_accumulation_steps'>;

/** Keys and values of the samples and of rollouts. */
function cacheBytes(model: ResolvedModel, config: RunConfig, stage: StageConfig): number {
  const { n_layer, n_kv_head, head_dim, block_size } = model;
  const ofRow = FLOAT * 2 * n_layer * block_size * n_kv_head * head_dim;
  // Of training alone: how many held-out prompts a stage has is not known here.
  const sampled = rolloutRows(config.training, stage, 0) || config.sampling.prompts.length;
  return ofRow * (1 + Math.min(MOST_ROLLOUT_ROWS, sampled));
}

/** The same as a run's plan: all weights are one kind. */
export function asMemoryPlan(memory: StageMemory): MemoryPlan {
  const { base, adapters, value_model, reward_model, reference, ...others } = memory;
  return { ...others, weights: base + adapters + value_model + reward_model + reference };
}

/** Checkpoints of a run that storage keeps: the last one, the one before it, and the best. */
const KEPT_CHECKPOINTS = 3;

/** Bytes in storage of one stage: all of its weights and the moments of those that train. */
export function stageDiskBytes(
  model: ResolvedModel,
  stage: StageConfig,
  training: TrainingConfig,
): number {
  const { trainable, ...models } = stageParameters(model, stage);
  const weights = Object.values(models).reduce((a, b) => a + b, 0);
  const moments = trainable * momentsPerParameter(model, training);
  return KEPT_CHECKPOINTS * FLOAT * (weights + moments);
}
