/**
 * Bytes that each rank of the lab sends in a step, by kind of collective: what `src/parallel` does, by
 * arithmetic. `traffic.ts` has the formulas of the papers, which plan any fleet; this also has what is
 * particular to the lab's ranks, such as how often ZeRO-3 gathers which weights, frozen weights under
 * adapters, what GRPO and PPO sample and score, and the sums that all ranks agree on.
 */
import { type MeshPlace, placeOf } from '../../../common/mesh.ts';
import type { BytesSent } from '../../../common/ranks.ts';
import type { ResolvedModel } from '../../../config/index.ts';
import { answerLength, type StageConfig } from '../../../config/stage/index.ts';
import { hasReference, rowsPerExample } from '../../stage_memory.ts';
import { type Mesh, ONE_RANK, worldSize } from '../mesh.ts';
import { microBatchSize, type ParallelTraining } from '../training.ts';
import { gradientTraffic } from './gradients.ts';
import { FLOAT, type Pass, reducedBytes, type StepTraffic, trainingTraffic } from './passes.ts';
import { type Head, isAdapter, type RankTensor, rankTensors } from './rank_tensors.ts';
import { answerTraffic, policyTraffic, scoringTraffic } from './sampling.ts';
import { phaseOf, type StepKind } from './step_kind.ts';

export interface TrafficRun {
  mesh: Mesh;
  model: ResolvedModel;
  /** Its `batch_size` is that of the recipe: rows, pairs or prompts. */
  training: ParallelTraining;
  /** Null for pretraining. */
  stage: StageConfig | null;
  /** Tokens of a row. */
  row_length: number;
}

/** What all ranks send in a step. */
export const trafficOfAll = (run: TrafficRun, step: StepKind): StepTraffic[] =>
  Array.from({ length: worldSize(run.mesh) }, (_, rank) => stepTraffic(run, rank, step)).flat();

/** Everything that a rank sends in a step; nothing is listed that is not sent. */
export function stepTraffic(run: TrafficRun, rank: number, step: StepKind): StepTraffic[] {
  if (worldSize(run.mesh) === 1) return [];
  const place = placeOf(run.mesh, rank);
  const microbatches = run.training.gradient_accumulation_steps;
  const parts = [
    ...phaseTraffic(run, place, step),
    ...referenceTraffic(run, place, step),
    ...passesTraffic(run, place),
    ...gradientTraffic({ mesh: run.mesh, trained: trainedOf(run, place), microbatches }),
    ...tiedTraffic(run, place),
    ...agreementTraffic(run),
  ];
  return parts.filter(({ bytes }) => bytes > 0);
}

const times = (count: number, traffic: readonly StepTraffic[]): StepTraffic[] =>
  traffic.map((one) => ({ ...one, bytes: count * one.bytes }));

const adaptersOf = ({ stage }: TrafficRun) =>
  stage?.peft.peft_type === 'lora' ? stage.peft : undefined;

/** The model that learns, or with PPO the one that answers. */
function policyOf(run: TrafficRun, place: MeshPlace): RankTensor[] {
  const head: Head = run.stage?.objective === 'reward' ? 'both' : 'language';
  return rankTensors({ ...run, place, head, adapters: adaptersOf(run) });
}

/** PPO's value or reward model. */
const scorerOf = (run: TrafficRun, place: MeshPlace): RankTensor[] =>
  rankTensors({ ...run, place, head: 'scalar' });

function passOf(run: TrafficRun, place: MeshPlace, tensors: readonly RankTensor[]): Pass {
  const { mesh, model, training, stage, row_length } = run;
  const rows = microBatchSize(training, mesh) * (stage ? rowsPerExample(stage) : 1);
  const head = stage?.objective === 'reward' ? 'scalar' : 'language';
  return { mesh, model, place, tensors, head, tokens: rows * row_length };
}

/** Forward and backward passes of all micro-batches. PPO's value model goes beside the policy. */
function passesTraffic(run: TrafficRun, place: MeshPlace): StepTraffic[] {
  const { training, stage } = run;
  const learned = {
    adapters: adaptersOf(run),
    recomputes_blocks: training.recompute_granularity === 'full',
    measures_entropy: measuresEntropy(stage),
  };
  const policy = trainingTraffic({ ...passOf(run, place, policyOf(run, place)), ...learned });
  const all = [...policy];
  if (stage?.objective === 'ppo') {
    const pass = { ...passOf(run, place, scorerOf(run, place)), head: 'scalar' as const };
    const whole = { ...learned, adapters: undefined, measures_entropy: false };
    all.push(...trainingTraffic({ ...pass, ...whole }));
  }
  return times(training.gradient_accumulation_steps, all);
}

/** GRPO has the entropy of what it samples, and a reward model has no distribution. */
function measuresEntropy(stage: StageConfig | null): boolean {
  return stage !== null && stage.objective !== 'grpo' && stage.objective !== 'reward';
}

/** An untied language head of a reward model is kept, but takes no part in a score. */
function trainedOf(run: TrafficRun, place: MeshPlace): RankTensor[] {
  const { model, stage } = run;
  const policy = policyOf(run, place);
  if (stage?.objective === 'ppo') return [...trainable(run, policy), ...scorerOf(run, place)];
  const isUnused = stage?.objective === 'reward' && !model.tie_word_embeddings;
  return trainable(run, policy).filter(({ role }) => !isUnused || role !== 'language_head');
}

/** With adapters, these and a scalar head. */
function trainable(run: TrafficRun, policy: RankTensor[]): RankTensor[] {
  if (!adaptersOf(run)) return policy;
  return policy.filter((one) => isAdapter(one) || one.role === 'scalar_head');
}

/** The first and the last stage of a pipeline add up their gradients of a tied embedding. */
function tiedTraffic(run: TrafficRun, place: MeshPlace): StepTraffic[] {
  const { mesh, model } = run;
  const isEnd = place.pp === 0 || place.pp === mesh.pp - 1;
  if (mesh.pp === 1 || !model.tie_word_embeddings || !isEnd || adaptersOf(run)) return [];
  const table = policyOf(run, place).find(
    ({ role }) => role === 'token_embedding' || role === 'language_head',
  );
  const bytes = reducedBytes(table?.values ?? 0, 2);
  return [{ kind: 'all_reduce', what: 'gradient of the tied embedding', bytes }];
}

/** Values that a step adds up over all micro-batches and ranks (`Objective.sums`). */
const SUMS = { pretrain: 2, sft: 3, reward: 6, dpo: 9, grpo: 5, ppo: 9 } as const;

/**
 * What all ranks agree on at the end of a step: the sums of the loss and of its metrics, the squared
 * norm of each piece of each gradient in float64, and whether some rank wishes to pause.
 */
function agreementTraffic(run: TrafficRun): StepTraffic[] {
  const { mesh, stage } = run;
  const others = worldSize(mesh) - 1;
  const pieces = parameterCount(run) * mesh.tp * mesh.dp;
  const sums = SUMS[stage?.objective ?? 'pretrain'] + 1;
  return [
    { kind: 'all_reduce', what: 'sums of the loss and its metrics', bytes: others * FLOAT * sums },
    { kind: 'all_gather', what: 'squared norms of gradients', bytes: others * 8 * pieces },
  ];
}

/** Parameters of all models of the run, frozen ones too. */
function parameterCount({ model, training, stage, row_length }: TrafficRun): number {
  const whole = { model, training, stage, row_length, mesh: ONE_RANK };
  const place = placeOf(ONE_RANK, 0);
  const scorers = stage?.objective === 'ppo' ? 1 + (hasRewardModel(stage) ? 1 : 0) : 0;
  return policyOf(whole, place).length + scorers * scorerOf(whole, place).length;
}

const hasRewardModel = ({ objective, ppo }: StageConfig): boolean =>
  objective === 'ppo' && ppo.score === 'reward_model';

/** Answers of a phase: sampled with the policy, then scored by the other models, by micro-batches. */
function phaseTraffic(
  run: TrafficRun,
  place: MeshPlace,
  { samples, answer_tokens }: StepKind,
): StepTraffic[] {
  const { mesh, training, stage } = run;
  if (!stage || !samples) return [];
  const microbatches = phaseOf(stage).mini_batches * training.gradient_accumulation_steps;
  if (microbatches === 0) return [];
  const answers = microbatches * training.batch_size * rowsPerExample(stage);
  const tokens = answers * (answer_tokens ?? answerLength(stage) ?? 0);
  const scored = scoringPasses(run, stage, place).flatMap(scoringTraffic);
  return [
    ...policyTraffic(mesh, policyOf(run, place)),
    ...answerTraffic(mesh, { answers, tokens }),
    ...times(microbatches, scored),
  ];
}

/** The reference, and of PPO also the value model and the reward model if there is one. */
function scoringPasses(run: TrafficRun, stage: StageConfig, place: MeshPlace): Pass[] {
  const passes = hasReference(stage) ? [referencePass(run, place)] : [];
  if (stage.objective !== 'ppo') return passes;
  const scorer = { ...passOf(run, place, scorerOf(run, place)), head: 'scalar' as const };
  return [...passes, scorer, ...(hasRewardModel(stage) ? [scorer] : [])];
}

/** The policy without its adapters. */
const referencePass = (run: TrafficRun, place: MeshPlace): Pass =>
  passOf(
    run,
    place,
    policyOf(run, place).filter((one) => !isAdapter(one)),
  );

/** DPO's reference scores a micro-batch when it meets a pair of it for the first time. */
function referenceTraffic(
  run: TrafficRun,
  place: MeshPlace,
  { new_batches = 0 }: StepKind,
): StepTraffic[] {
  if (run.stage?.objective !== 'dpo') return [];
  return times(new_batches, scoringTraffic(referencePass(run, place)));
}

/** Bytes of all ranks together, by kind of collective. */
export function bytesOfAll(traffic: readonly StepTraffic[]): BytesSent {
  const sent = { all_reduce: 0, reduce_scatter: 0, all_gather: 0, broadcast: 0, send_recv: 0 };
  for (const { kind, bytes } of traffic) sent[kind] += bytes;
  return sent;
}
