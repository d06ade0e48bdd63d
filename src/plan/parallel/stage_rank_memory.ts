/**
 * Bytes of one rank in a stage after pretraining: of training its model, of the other models of the
 * stage, and of sampling answers. ZeRO-3 shards frozen weights as it does all others.
 */
import type { ResolvedModel } from '../../config/index.ts';
import { answerLength, type StageConfig } from '../../config/stage/index.ts';
import { hasReference, MOST_ROLLOUT_ROWS, rolloutRows, rowsPerExample } from '../stage_memory.ts';
import { type Mesh, ONE_RANK, worldSize } from './mesh.ts';
import { activationsBeforeBackward, type Placement, rankActivations } from './rank_activations.ts';
import {
  frozenBytes,
  rankMemory,
  type RankMemory,
  storeBytes,
  type StoreBytes,
} from './rank_memory.ts';
import { type RankParameter, rankParameters } from './rank_parameters.ts';
import { adaptersOfRank, scalarHead, scoringParametersOfRank } from './stage_parameters.ts';
import type { ParallelTraining } from './training.ts';

/** The models of a stage; with adapters, `policy` is the frozen base. */
export const STAGE_MODELS = [
  'policy',
  'adapters',
  'value_model',
  'reward_model',
  'reference',
] as const;
export type StageModel = (typeof STAGE_MODELS)[number];

export interface StageRankMemory extends RankMemory {
  /** `weights` by the model that they belong to. */
  models: Record<StageModel, number>;
}

/** A stage on ranks, as far as its memory depends on it. */
export interface StageRun {
  model: ResolvedModel;
  /** Its `batch_size` is that of the recipe: pairs, prompts or rows. */
  training: ParallelTraining;
  stage: StageConfig;
  /** Tokens of a row, which may be fewer than the context. */
  row_length: number;
  /** Held-out prompts that an evaluation answers. Default: the largest number that it answers. */
  held_out_prompts?: number | undefined;
}

const FLOAT = 4;

/** Peak memory of a rank in a stage. The mesh must have no problems (`lab_check.ts`). */
export function stageRankMemory(run: StageRun, placement: Placement): StageRankMemory {
  const passes = passBytes(run, placement);
  const models = weightsByModel(run, placement);
  const trained = trainedBytes(run, placement);
  const memory = {
    weights: Object.values(models).reduce((a, b) => a + b, 0),
    gradients: trained.gradients,
    optimizer: trained.optimizer,
    activations: passes.activations,
    logits: passes.logits,
    temporaries: passes.temporaries,
    rollouts: rolloutBytes(run, placement),
    inputs: passes.inputs,
    fragmentation: passes.fragmentation,
  };
  const total = Object.values(memory).reduce((a, b) => a + b, 0);
  return { ...memory, total, models };
}

/**
 * Memory of the passes of a step. The forward and backward pass of PPO's value model lie between those of
 * the policy. It has no logits, and all of its weights train even if the policy has adapters.
 */
function passBytes(run: StageRun, placement: Placement): RankMemory {
  const training = computedTraining(run);
  const model = { ...run.model, block_size: run.row_length };
  if (run.stage.objective !== 'ppo') return rankMemory(model, training, placement);
  const ofValue = rankMemory(model, { ...training, adapters: undefined }, placement);
  const ofPolicy = rankMemory(model, training, placement);
  const kept = activationsBeforeBackward(model, training, placement);
  return {
    ...ofValue,
    activations: kept + ofValue.activations,
    temporaries: Math.max(ofPolicy.temporaries, ofValue.temporaries),
  };
}

const isLora = ({ peft }: StageConfig): boolean => peft.peft_type === 'lora';

/** What the passes of a step compute. */
function computedTraining({ training, stage }: StageRun): ParallelTraining {
  const batch_size = rowsPerExample(stage) * training.batch_size;
  return { ...training, batch_size, adapters: isLora(stage) ? stage.peft : undefined };
}

function weightsByModel(
  { model, training, stage }: StageRun,
  placement: Placement,
): Record<StageModel, number> {
  const { mesh, pp_rank } = placement;
  const { objective, peft, ppo } = stage;
  const isAdapted = isLora(stage);
  const policy = policyParameters(model, stage, placement);
  const scoring = objective === 'ppo' ? scoringParametersOfRank(model, placement) : [];
  const trained = (parameters: readonly RankParameter[]): number =>
    storeBytes(parameters, training, placement).weights;
  const frozen = (parameters: readonly RankParameter[]): number =>
    frozenBytes(parameters, training, mesh).weights;
  return {
    policy: isAdapted ? frozen(policy) : trained(policy),
    adapters: isAdapted ? trained(adaptersOfRank(model, peft, placement)) : 0,
    value_model: trained(scoring),
    reward_model: ppo.score === 'reward_model' ? frozen(scoring) : 0,
    reference: hasReference(stage) && !isAdapted ? frozen(rankParameters(model, mesh, pp_rank)) : 0,
  };
}

function policyParameters(
  model: ResolvedModel,
  { objective }: StageConfig,
  { mesh, pp_rank }: Placement,
): RankParameter[] {
  const parameters = rankParameters(model, mesh, pp_rank);
  const scores = objective === 'reward' && pp_rank === mesh.pp - 1;
  return scores ? [...parameters, scalarHead(model)] : parameters;
}

/** Gradients and moments of everything that trains; its weights are counted by model instead. */
function trainedBytes(run: StageRun, placement: Placement): StoreBytes {
  const { model, training, stage } = run;
  const policy = policyParameters(model, stage, placement);
  const trainable = isLora(stage) ? adaptersOfRank(model, stage.peft, placement) : policy;
  const value = stage.objective === 'ppo' ? scoringParametersOfRank(model, placement) : [];
  return storeBytes([...trainable, ...value], training, placement);
}

/**
 * Bytes of sampling: the caches of the answers that a rank samples at once, for training or to held-out
 * prompts; the whole model, if ranks hold only parts of it and gather it to sample; and the scratch that
 * many prompts need in addition to that of a step.
 */
function rolloutBytes(run: StageRun, placement: Placement): number {
  const { mesh } = placement;
  const { model, row_length } = run;
  const answers = rolloutRows(run.training, run.stage, run.held_out_prompts);
  if (answers === 0) return 0;
  const rows = Math.min(MOST_ROLLOUT_ROWS, Math.ceil(answers / worldSize(mesh)));
  const { n_layer, n_kv_head, head_dim } = model;
  // The last token of an answer is never read.
  const positions = row_length - 1;
  const caches = FLOAT * 2 * n_layer * n_kv_head * head_dim * rows * positions;
  const prompts = rows * promptLength(run);
  const scratch = Math.max(0, prefillScratch(model, prompts) - passScratch(run, placement));
  return caches + gatheredModel(run, mesh) + scratch;
}

const promptLength = ({ stage, row_length }: StageRun): number =>
  Math.max(1, row_length - (answerLength(stage) ?? 0));

/** Bytes that exist at once while prompts are read: activations of one block, without a backward pass. */
function prefillScratch(model: ResolvedModel, tokens: number): number {
  const { n_embd, n_inner, n_head, n_kv_head, head_dim, layout } = model;
  const isGpt2 = layout === 'gpt2';
  const q = n_head * head_dim;
  const heads = q + 2 * n_kv_head * head_dim;
  const feedForward = (isGpt2 ? 2 : 3) * n_inner;
  // RoPE writes a new tensor.
  const attention = n_embd + heads + (isGpt2 ? q : heads);
  return FLOAT * tokens * (2 * n_embd + Math.max(feedForward, attention));
}

function passScratch(run: StageRun, placement: Placement): number {
  const training = computedTraining(run);
  return rankActivations({ ...run.model, block_size: run.row_length }, training, placement).scratch;
}

function gatheredModel({ model, training, stage }: StageRun, mesh: Mesh): number {
  const isWhole = mesh.tp === 1 && mesh.pp === 1 && mesh.zero_stage < 3;
  if (isWhole) return 0;
  const placement = { mesh: ONE_RANK, pp_rank: 0 };
  const adapters = isLora(stage) ? adaptersOfRank(model, stage.peft, placement) : [];
  const parameters = [...rankParameters(model, ONE_RANK, 0), ...adapters];
  return frozenBytes(parameters, training, ONE_RANK).weights;
}
