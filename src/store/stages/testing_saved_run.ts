/** Records of saved runs, for tests. */
import { defaultConfig } from '../../config/index.ts';
import type { RunRecord } from '../../protocol/index.ts';

/** A run of ten steps that was trained from `parent`; its name is its id in capitals. */
export const savedRun = (
  run: string,
  parent: string | null,
  objective = 'sft',
  created = 0,
): RunRecord => ({
  run,
  name: run.toUpperCase(),
  created,
  updated: created,
  step: 10,
  max_iters: 10,
  val_loss: 1,
  last_val_loss: 1,
  n_params: 1000,
  bytes: 1,
  config: defaultConfig(),
  locked: false,
  resumable: true,
  lineage: {
    objective,
    parent: parent === null ? null : { kind: 'run', run: parent, name: parent, step: 10 },
    dataset: 'tales',
  },
});
