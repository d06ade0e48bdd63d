/** Which parameters a run has, and which of them train. */
import { listParameters, loraParameters, type Parameter } from '../model/index.ts';
import type { Objective, ObjectiveSetting } from '../objectives/index.ts';

export interface RunParameters {
  /** The model's, the objective's own and those of adapters; among those that train, matrices first. */
  parameters: readonly Parameter[];
  /** The others have neither gradients nor moments. */
  trains: (parameter: Parameter) => boolean;
}

/**
 * The parameters of an objective. With LoRA, the model's are frozen, and adapters train together with
 * what the objective adds and trains, such as a scalar head.
 */
export function runParameters(objective: Objective, setting: ObjectiveSetting): RunParameters {
  const parameters = objective.parameters(setting);
  const peft = setting.stage?.peft;
  if (peft?.peft_type !== 'lora') {
    return { parameters, trains: (parameter) => objective.trains(parameter) };
  }
  const frozen = new Set(listParameters(setting.model).map(({ name }) => name));
  return {
    parameters: [...loraParameters(setting.model, peft), ...parameters],
    trains: (parameter) => !frozen.has(parameter.name) && objective.trains(parameter),
  };
}
