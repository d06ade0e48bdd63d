/**
 * What a stage after pretraining will cost, and what to change so that it fits. Not part of
 * `index.ts`, because the first visit plans pretraining only.
 */
import {
  getField,
  largeTensors,
  recomputeGranularity,
  resolveModel,
  type FieldPath,
  type FieldValue,
  type RunConfig,
  withField,
} from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { DeviceSpeed } from './duration.ts';
import { flopsPerToken } from './flops.ts';
import { guessVocab, type Planner, planRun, type RunPlan } from './plan.ts';
import {
  asMemoryPlan,
  hasReference,
  originalBytes,
  planStageMemory,
  stageDiskBytes,
  type StageFacts,
  type StageMemory,
  stageParameters,
  stageRows,
} from './stage_memory.ts';

export type { StageFacts, StageMemory } from './stage_memory.ts';

/** Memory that is assumed where the device does not say: a small graphics card, bytes. */
export const UNKNOWN_MEMORY = 4 * 2 ** 30;

/** Tokens for roles and the end that a stage adds to the vocabulary of a base model. */
const ROLE_TOKENS = 5;

/** `guessVocab` of a stage that starts from a base model, which adds tokens for roles. */
export const guessStageVocab = (config: RunConfig): number => guessVocab(config) + ROLE_TOKENS;

export interface StagePlan extends RunPlan {
  /** The bytes of `memory`, with the weights of each model of the stage by themselves. */
  kinds: StageMemory;
  /** Bytes at most in the memory of JavaScript, of weights that are kept in float16 (`originalBytes`). */
  host_bytes: number;
  /** Bytes that its checkpoints take in storage. */
  disk_bytes: number;
  /** Tokens that a step samples one after the other; 0 without rollouts. */
  sampled_tokens: number;
}

/** Plans a stage. */
export function planStage(config: RunConfig, stage: StageConfig, facts: StageFacts): StagePlan {
  const model = resolveModel(config.model, facts.vocab_size);
  const { rows, row_length } = stageRows(config, stage, facts);
  const shaped = { ...model, block_size: row_length };
  const training = { ...config.training, batch_size: rows };
  const kinds = planStageMemory(config, stage, facts);
  const counts = stageParameters(model, stage);
  const { trainable, ...models } = counts;
  const tokens_per_step = rows * row_length * training.gradient_accumulation_steps;
  const flops_per_token = flopsPerToken(shaped) * passesPerToken(stage);
  const tensors = largeTensors(shaped, training, facts.max_binding_size);
  return {
    ...planRun(config, facts),
    n_params: Object.values(models).reduce((a, b) => a + b, 0),
    n_trainable: trainable,
    flops_per_token,
    tokens_per_step,
    flops_per_step: flops_per_token * tokens_per_step,
    memory: asMemoryPlan(kinds),
    largest_binding: tensors.reduce((a, b) => (b.bytes > a.bytes ? b : a)),
    kinds,
    host_bytes: originalBytes(model, stage),
    disk_bytes: stageDiskBytes(model, stage, training),
    sampled_tokens: sampledTokens(stage),
  };
}

/** A planner of this stage, for `settleRun`. */
export const stagePlanner =
  (stage: StageConfig, row_length?: number): Planner =>
  (config, facts) =>
    planStage(config, stage, { ...facts, row_length });

/**
 * FLOPs per token of a step, in units of one forward and backward pass through the whole model. The
 * forward pass, the gradients of activations and the gradients of weights are a third each; a frozen
 * base has no gradients of weights.
 */
function passesPerToken(stage: StageConfig): number {
  const { objective, peft, ppo, grpo } = stage;
  const forward = 1 / 3;
  const training = peft.peft_type === 'lora' ? 2 * forward : 1;
  const reference = hasReference(stage) ? forward : 0;
  switch (objective) {
    case 'sft':
    case 'reward':
    case 'dpo':
      return training + reference;
    case 'grpo':
      // The rollout reads every token once, and its log-probabilities once more.
      return grpo.num_iterations * training + 2 * forward + reference;
    case 'ppo': {
      const scores = ppo.score === 'reward_model' ? forward : 0;
      // The value model is trained in full, and read once before.
      return ppo.num_ppo_epochs * (training + 1) + 3 * forward + reference + scores;
    }
    default:
      return objective satisfies never;
  }
}

function sampledTokens({ objective, ppo, grpo }: StageConfig): number {
  if (objective === 'ppo') return ppo.response_length;
  return objective === 'grpo' ? grpo.max_completion_length : 0;
}

/** Seconds of a stage on a device that was calibrated, without evaluations; within a factor of two. */
export function stageSeconds(
  { training, model }: RunConfig,
  plan: StagePlan,
  { flops_per_second, step_overhead_ms }: DeviceSpeed,
): number {
  // As for a run, operations are counted by layers; the overhead was measured with two.
  const overhead = ((step_overhead_ms / 1000) * (model.n_layer + 1)) / 3;
  const { gradient_accumulation_steps: accumulation, max_iters, max_seconds } = training;
  // A sampled token costs a forward pass, which is a third of a step, at its fixed cost.
  const rollout = (plan.sampled_tokens * overhead) / 3;
  const step = plan.flops_per_step / flops_per_second + accumulation * overhead + rollout;
  const seconds = max_iters * step;
  return max_seconds > 0 ? Math.min(max_seconds, seconds) : seconds;
}

export interface StageProposal {
  config: RunConfig;
  plan: StagePlan;
  /** What differs from the requested configuration; empty if it fits as it is. */
  changes: [FieldPath, FieldValue][];
  /** Whether the plan fits in the memory. */
  fits: boolean;
}

/** Share of the memory that a plan may use. The rest is for programs, staging buffers and the page. */
const USABLE_SHARE = 0.9;
/** A context is not made shorter than this. */
const SHORTEST = 128;

/**
 * Changes the configuration of a stage until it fits in this memory. Selective recomputation comes first,
 * because it costs almost nothing. Then micro-batches get fewer rows, and steps more micro-batches. If a
 * single row does not fit, whole blocks are recomputed, and finally the context is halved, but never
 * below the longest example.
 *
 * @param memory_bytes Memory that a run can use; 0 if unknown, and then nothing changes.
 */
export function proposeStage(
  config: RunConfig,
  stage: StageConfig,
  facts: StageFacts & { memory_bytes: number },
): StageProposal {
  return propose(config, (candidate) => planStage(candidate, stage, facts), facts);
}

interface Limits {
  memory_bytes: number;
  row_length?: number | undefined;
}

function propose<Plan extends RunPlan>(
  requested: RunConfig,
  plan: (config: RunConfig) => Plan,
  { memory_bytes, row_length }: Limits,
) {
  const budget = memory_bytes > 0 ? USABLE_SHARE * memory_bytes : Infinity;
  const fits = (config: RunConfig): boolean => plan(config).memory.total <= budget;
  let config = requested;
  while (!fits(config)) {
    const smaller = nextSmaller(config, row_length);
    if (!smaller) break;
    config = smaller;
  }
  const changes = PROPOSED.filter((path) => getField(config, path) !== getField(requested, path));
  return {
    config,
    plan: plan(config),
    changes: changes.map((path): [FieldPath, FieldValue] => [path, getField(config, path)]),
    fits: fits(config),
  };
}

const PROPOSED: readonly FieldPath[] = [
  'training.batch_size',
  'training.gradient_accumulation_steps',
  'training.activation_checkpointing',
  'training.recompute_granularity',
  'model.block_size',
];

const withRecomputation = (config: RunConfig, granularity: string): RunConfig =>
  withField(
    withField(config, 'training.activation_checkpointing', true),
    'training.recompute_granularity',
    granularity,
  );

/** The next configuration to try; null if there is none. */
function nextSmaller(config: RunConfig, row_length = SHORTEST): RunConfig | null {
  const { batch_size, gradient_accumulation_steps } = config.training;
  const recomputed = recomputeGranularity(config.training);
  if (recomputed === 'none') return withRecomputation(config, 'selective');
  if (batch_size > 1) {
    const rows = Math.ceil(batch_size / 2);
    const steps = Math.ceil((batch_size * gradient_accumulation_steps) / rows);
    const fewer = withField(config, 'training.batch_size', rows);
    return withField(fewer, 'training.gradient_accumulation_steps', Math.min(1024, steps));
  }
  if (recomputed === 'selective') return withRecomputation(config, 'full');
  const { block_size, layout } = config.model;
  const half = Math.max(SHORTEST, row_length, Math.floor(block_size / 2));
  // GPT-2's positions are weights of the context's length.
  if (layout === 'gpt2' || half >= block_size) return null;
  return withField(config, 'model.block_size', half);
}

/** As `proposeStage`, for training all weights of a model on text, such as those of an imported folder. */
export function proposeRun(
  config: RunConfig,
  facts: Omit<StageFacts, 'row_length'> & { memory_bytes: number },
): Omit<StageProposal, 'plan'> & { plan: RunPlan } {
  return propose(config, (candidate) => planRun(candidate, facts), facts);
}
