/** Which reward models can score the answers of a policy: one rule for page, recipes and worker. */
import { architectureFields } from '../architecture.ts';
import { type ModelConfig, resolveModel, type RunConfig } from '../schema.ts';
import type { StageProblem } from './check.ts';

/** A model as far as the rule reads it. */
export interface RatedModel {
  name: string;
  objective: string;
  model: ModelConfig;
}

/**
 * Why a reward model cannot score a policy's answers; null if it can. PPO computes both with one model
 * (and so the value model, which starts from the reward model), and both read the same tokens.
 *
 * @param has_same_tokenizer of the reward model and of the policy, whose stage adds the tokens that a
 * chat template needs
 */
export function rewardModelProblem(
  reward: RatedModel,
  policy: RatedModel,
  has_same_tokenizer: boolean,
): StageProblem | null {
  if (reward.objective !== 'reward') {
    return problem(
      `“${reward.name}” is no reward model.`,
      'Choose a model that was trained on pairs with the objective reward.',
    );
  }
  const different = differentField(reward.model, policy.model);
  if (different) {
    const { field, its, ours } = different;
    return problem(
      `The reward model “${reward.name}” has ${field} ${its}, and “${policy.name}” has ${ours}.`,
      'Choose a reward model of the same sizes, such as one trained from the same parent.',
    );
  }
  if (has_same_tokenizer) return null;
  return problem(
    `The reward model “${reward.name}” has another tokenizer than “${policy.name}”.`,
    'Choose a reward model that was trained from the same parent.',
  );
}

/** Whether two runs that were trained from new weights have made the same tokenizer. */
export function makeSameTokenizer(one: RunConfig, other: RunConfig): boolean {
  const { kind } = one.tokenizer;
  if (kind !== other.tokenizer.kind || kind === 'imported') return false;
  if (kind === 'byte') return true;
  if (one.data.corpus === 'own') return false;
  return sameFields(one.tokenizer, other.tokenizer) && sameFields(one.data, other.data);
}

function differentField(reward: ModelConfig, policy: ModelConfig) {
  // The vocabulary belongs to the tokenizer.
  const its = resolveModel(reward, 1);
  const ours = resolveModel(policy, 1);
  const shared = architectureFields(its.layout);
  const fields = its.layout === 'gpt2' ? ([...shared, 'bias'] as const) : shared;
  const field = fields.find((name) => its[name] !== ours[name]);
  return field ? { field, its: its[field], ours: ours[field] } : null;
}

const sameFields = <T extends object>(one: T, other: T): boolean =>
  JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort());

const problem = (message: string, hint: string): StageProblem => ({
  field: 'reward_model',
  message,
  hint,
});
