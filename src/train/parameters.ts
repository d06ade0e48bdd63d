/** Which parameters a run has, and which of them train. */
import type { Parameter } from '../model/index.ts';
import type { Objective, ObjectiveSetting } from '../objectives/index.ts';

export interface RunParameters {
  /** The model's and the objective's own, matrices first. */
  parameters: readonly Parameter[];
  /** The others have neither gradients nor moments. */
  trains: (parameter: Parameter) => boolean;
}

export function runParameters(objective: Objective, setting: ObjectiveSetting): RunParameters {
  return {
    parameters: objective.parameters(setting),
    trains: (parameter) => objective.trains(parameter),
  };
}
