/** Refuses a stage whose frozen weights are to be kept in float16 and do not fit it. */
import type { SettledRun } from '../run/index.ts';
import { beyondFloat16 } from '../model/frozen_float16.ts';
import { runParameters, savedValues } from '../train/index.ts';
import type { PreparedText } from './prepared_text.ts';
import type { Objective } from '../objectives/index.ts';
import type { ParentState } from './parent.ts';
import { BadParent } from './plain_errors.ts';
import type { StartingPoint } from './run_parts.ts';

type PreparedStage = NonNullable<PreparedText['stage']>;

/**
 * Checks what the device stores in float16, the frozen matrices of the run; vectors stay float32.
 *
 * @throws BadParent with the first weight beyond 65,504
 */
export function requireFloat16Range(
  { objective, parent }: { objective: Objective; parent: ParentState },
  stage: PreparedStage,
  { config, model }: SettledRun,
  { state }: StartingPoint,
): void {
  const setting = { config, model, stage: stage.config, data: stage.data };
  const { parameters, trains } = runParameters(objective, setting);
  const frozen = parameters.filter((parameter) => !trains(parameter));
  const found = beyondFloat16(frozen, (name) => savedValues(state, name));
  if (!found) return;
  throw new BadParent(
    'peft.dtype',
    `“${parent.parent.name}” has a weight of ${found.value} in ${found.name}, and float16 ends at 65,504.`,
    'Keep the frozen weights in float32 (peft.dtype).',
  );
}
