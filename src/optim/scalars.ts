/**
 * What changes from step to step in an update: a few numbers in a Store, written before the submit.
 */
import { Store } from '../backend/index.ts';
import type { TrainingConfig } from '../config/index.ts';
import { type ScalarName, SCALARS } from '../ops/index.ts';

export const scalarStore = (): Store =>
  new Store('optimizer scalars', [{ name: 'scalars', shape: [SCALARS.length] }]);

/**
 * `step` counts from 0, without updates that are known to have been left out. Muon's rate follows
 * the schedule of the other, in proportion.
 */
export function writeScalars(
  store: Store,
  training: TrainingConfig,
  step: number,
  learning_rate: number,
): void {
  const share = training.learning_rate > 0 ? learning_rate / training.learning_rate : 1;
  const t = step + 1;
  const values: Record<ScalarName, number> = {
    learning_rate,
    muon_learning_rate: training.muon_learning_rate * share,
    update_number: t,
    bias_correction1: 1 - training.beta1 ** t,
    bias_correction2_sqrt: Math.sqrt(1 - training.beta2 ** t),
  };
  store.write(
    'scalars',
    Float32Array.from(SCALARS, (name) => values[name]),
  );
}
