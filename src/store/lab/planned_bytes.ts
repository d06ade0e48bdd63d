/** What the formula has the ranks send in a step, beside what they count. */
import type { BytesSent, RankStep } from '../../common/index.ts';
import { bytesOfAll, stepKind, trafficOfAll } from '../../plan/parallel/step_traffic/index.ts';
import { trainingOf } from '../../plan/parallel/training.ts';
import type { LabState } from './lab_state.ts';

/** The objective's metric of the mean tokens of sampled answers, of the steps that sample. */
export const ANSWER_LENGTH = 'completions/mean_length';

type Metrics = Readonly<Partial<Record<string, number>>>;

/** Bytes of all ranks together; null before the ranks are open. */
export function plannedBytes(
  state: LabState,
  reports: readonly RankStep[],
  metrics: Metrics,
): BytesSent | null {
  const { mesh, config, stage, model, row_length, train_pairs, from } = state;
  const step = (reports[0]?.step ?? 0) - 1;
  if (!config || !model || step < 0) return null;
  const training = trainingOf(config);
  const first_step = from?.step ?? 0;
  const taken = { step, first_step, train_pairs, answer_tokens: metrics[ANSWER_LENGTH] };
  const kind = stepKind(stage, training, taken);
  return bytesOfAll(trafficOfAll({ mesh, model, training, stage, row_length }, kind));
}
