/** What a run can learn. A new objective is a file in this folder and a case of `findObjective`. */
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
  REFERENCE,
  type Source,
  type SourceContext,
  type SourceState,
  stageOf,
  type Sums,
  tracedValues,
  type ValueProgram,
} from './objective.ts';

/** The objective of a run that names none. */
export const DEFAULT_OBJECTIVE: Objective = pretrain;

/**
 * The objective of this name, or undefined: a run of a newer version may name one. All but
 * pretraining are loaded when they are first needed.
 */
export async function findObjective(name: string): Promise<Objective | undefined> {
  switch (name) {
    case 'pretrain':
      return pretrain;
    case 'sft':
      return (await import('./sft.ts')).sft;
    case 'reward':
      return (await import('./reward.ts')).reward;
    case 'dpo':
      return (await import('./dpo.ts')).dpo;
    case 'grpo':
      return (await import('./grpo.ts')).grpo;
    case 'ppo':
      return (await import('./ppo.ts')).ppo;
    default:
      return undefined;
  }
}
