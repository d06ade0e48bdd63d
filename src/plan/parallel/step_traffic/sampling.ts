/** What a rank sends for a phase of GRPO or PPO: to sample answers, and to score them. */
import { type Mesh, worldSize } from '../mesh.ts';
import { FLOAT, forwardTraffic, gatheredBytes, type Pass, type StepTraffic } from './passes.ts';
import type { RankTensor } from './rank_tensors.ts';

/** Values of each answer's outline: its tokens, and whether it has ended. */
const OUTLINE = 2;

export interface SampledAnswers {
  /** Of all ranks. */
  answers: number;
  /** Tokens of all of these answers. */
  tokens: number;
}

/** Every rank samples a share of the answers, and gets those of all ranks: ids and log-probabilities. */
export function answerTraffic(mesh: Mesh, { answers, tokens }: SampledAnswers): StepTraffic[] {
  const ranks = worldSize(mesh);
  const values = OUTLINE * answers + 2 * tokens;
  // Each rank sends its own answers to all others.
  const bytes = (FLOAT * values * (ranks - 1)) / ranks;
  return [{ kind: 'all_gather', what: 'sampled answers', bytes }];
}

/**
 * Ranks without all of the policy's weights gather them once for the answers of a phase, instead of
 * once for every token.
 */
export function policyTraffic(mesh: Mesh, policy: readonly RankTensor[]): StepTraffic[] {
  const { dp, tp, pp, zero_stage } = mesh;
  let bytes = 0;
  for (const { values, whole } of policy) {
    if (zero_stage === 3) bytes += gatheredBytes(values, dp);
    bytes += (tp - 1) * FLOAT * values;
    bytes += (pp - 1) * FLOAT * whole;
  }
  return [{ kind: 'all_gather', what: 'weights of the policy, to sample', bytes }];
}

/** A forward pass of a model that scores rows, and what its values are sent for: all ranks get all. */
export function scoringTraffic(pass: Pass): StepTraffic[] {
  const { mesh, place, tokens } = pass;
  const others = place.pp === mesh.pp - 1 ? mesh.pp - 1 : 0;
  return [
    ...forwardTraffic(pass),
    { kind: 'broadcast', what: 'scores of rows, to all stages', bytes: others * FLOAT * tokens },
    { kind: 'all_gather', what: 'scores of rows', bytes: (mesh.dp - 1) * FLOAT * tokens },
  ];
}
