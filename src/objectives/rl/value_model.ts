/** The reward and the value model of PPO: parameters of the run under a prefix. */
import { listParameters, type Parameter, scoreParameter } from '../../model/index.ts';
import { type ObjectiveSetting, stageOf } from '../objective.ts';

/** Frozen: what scores an answer. */
export const REWARD = 'reward.';
/** Trains, and starts from the reward model; without one, from the policy (train/build.ts). */
export const VALUE = 'value.';

/** The policy's parameters and those of the other models, matrices first. */
export function ppoParameters(setting: ObjectiveSetting): Parameter[] {
  const { model } = setting;
  const hasRewardModel = stageOf(setting).stage.ppo.score === 'reward_model';
  // An untied language head has no part in a score.
  const body = listParameters(model).filter(({ name }) => name !== 'lm_head.weight');
  const head = scoreParameter(model);
  // Without a reward model, every state is worth 0 at first.
  const valueHead: Parameter = hasRewardModel
    ? head
    : { ...head, init: { kind: 'constant', value: 0 } };
  const all = [
    ...prefixed(VALUE, [valueHead, ...body]),
    ...(hasRewardModel ? prefixed(REWARD, [head, ...body]) : []),
    ...listParameters(model),
  ];
  return [...all.filter(({ decay }) => decay), ...all.filter(({ decay }) => !decay)];
}

function prefixed(prefix: string, parameters: readonly Parameter[]): Parameter[] {
  return parameters.map((parameter) => ({
    ...parameter,
    name: prefix + parameter.name,
    parts: parameter.parts.map((part) => ({ ...part, name: prefix + part.name })),
  }));
}
