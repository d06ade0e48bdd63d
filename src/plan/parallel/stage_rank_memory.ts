/**
 * Bytes of one rank in a stage after pretraining: those of training its model, of the other models that
 * the stage has, and of sampling answers. Weights that do not train are sharded under ZeRO-3 as all
 * others are.
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
  /** Held-out prompts that an evaluation answers. Default: as many as it answers at most. */
  held_out_prompts?: number | undefined;
}

const FLOAT = 4;

/** The mesh must have no problems (`lab_check.ts`). */
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
 * Of the passes of a step. PPO's value model goes forth after the policy and back before it, and has no
 * logits; it trains whole, beside adapters too.
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

/** Of everything that trains; its weights are counted by model. */
function trainedBytes(run: StageRun, placement: Placement): StoreBytes {
  const { model, training, stage } = run;
  const policy = policyParameters(model, stage, placement);
  const trainable = isLora(stage) ? adaptersOfRank(model, stage.peft, placement) : policy;
  const value = stage.objective === 'ppo' ? scoringParametersOfRank(model, placement) : [];
  return storeBytes([...trainable, ...value], training, placement);
}

/**
 * Caches of the answers that a rank samples at once: for training, or to held-out prompts. Where no
 * rank has all weights, all of them are gathered while it samples. Many prompts may need more of the
 * scratch that programs share than a step does.
 */
function rolloutBytes(run: StageRun, placement: Placement): number {
  const { mesh } = placement;
  const { model, row_length } = run;
  const asked = rolloutRows(run.training, run.stage, run.held_out_prompts);
  if (asked === 0) return 0;
  const rows = Math.min(MOST_ROLLOUT_ROWS, Math.ceil(asked / worldSize(mesh)));
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

/** Bytes of what exists at a time while prompts are read, in one block, without a backward pass. */
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
  const one = { mesh: ONE_RANK, pp_rank: 0 };
  const adapters = isLora(stage) ? adaptersOfRank(model, stage.peft, one) : [];
  const whole = [...rankParameters(model, ONE_RANK, 0), ...adapters];
  return frozenBytes(whole, training, ONE_RANK).weights;
}
