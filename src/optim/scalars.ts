/** The numbers of an update that change from step to step, in a Store written before the submit. */
import { Store } from '../backend/index.ts';
import type { TrainingConfig } from '../config/index.ts';
import { type ScalarName, SCALARS } from '../ops/index.ts';

export const scalarStore = (): Store =>
  new Store('optimizer scalars', [{ name: 'scalars', shape: [SCALARS.length] }]);

/** The update that the scalars are for. */
export interface UpdateNumber {
  /** Counts updates from 0, without those that are known to have been skipped. */
  step: number;
  learning_rate: number;
}

/** Writes the scalars of one update. Muon's learning rate follows the schedule in proportion. */
export function writeScalars(
  store: Store,
  training: TrainingConfig,
  { step, learning_rate }: UpdateNumber,
): void {
  const { beta1, beta2, muon_learning_rate } = training;
  const ratio = training.learning_rate > 0 ? learning_rate / training.learning_rate : 1;
  const update_number = step + 1;
  const values: Record<ScalarName, number> = {
    learning_rate,
    muon_learning_rate: muon_learning_rate * ratio,
    update_number,
    bias_correction1: 1 - beta1 ** update_number,
    bias_correction2_sqrt: Math.sqrt(1 - beta2 ** update_number),
  };
  const scalars = Float32Array.from(SCALARS, (name) => values[name]);
  store.write('scalars', scalars);
}
