/** What a run can learn. A new objective is a file in this folder and an entry in OBJECTIVES. */
import type { Objective } from './objective.ts';
import { pretrain } from './pretrain.ts';

export { pretrain };
export {
  defineObjective,
  type EvaluationData,
  type Health,
  type HealthReport,
  type Objective,
  type ObjectivePrograms,
  type ObjectiveSetting,
  prefixed,
  type Source,
  type SourceContext,
  type SourceState,
  stageOf,
  type Sums,
  type ValueFunction,
} from './objective.ts';

const OBJECTIVES: readonly Objective[] = [pretrain];

/** The objective of a run that names none. */
export const DEFAULT_OBJECTIVE: Objective = pretrain;

/** The objective of this name, or undefined: a run of a newer version may name one. */
export function findObjective(name: string): Objective | undefined {
  return OBJECTIVES.find((objective) => objective.name === name);
}
