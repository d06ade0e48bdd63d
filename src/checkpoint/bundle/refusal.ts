/** Which runs train.py can continue, and why it cannot continue others. */
import { describeExport } from '../checkpoint.ts';
import type { CheckpointState } from '../checkpoint_state.ts';
import { CheckpointError } from '../error.ts';

export const BUNDLE_OBJECTIVES = ['pretrain', 'sft', 'dpo'] as const;
export type BundleObjective = (typeof BUNDLE_OBJECTIVES)[number];

const isBundleObjective = (name: string): name is BundleObjective =>
  BUNDLE_OBJECTIVES.some((known) => known === name);

/**
 * The objective of a run that train.py can continue.
 *
 * @throws CheckpointError `no_equivalent`, with a sentence for the user, for any other run
 */
export function bundleObjective(state: CheckpointState): BundleObjective {
  const objective = state.lineage?.objective ?? 'pretrain';
  const { plain, notes } = describeExport(state.model);
  if (!plain) throw refused(notes.join(' '));
  if (!isBundleObjective(objective)) {
    throw refused(
      `train.py continues pretraining, SFT and DPO, and this run learns by ${objective.toUpperCase()}.`,
      'Take the model that it started from, or go on in the page.',
    );
  }
  if (state.config.training.optimizer === 'muon') {
    throw refused(
      'train.py has no Muon, so the state of this optimizer cannot go on in it.',
      'Train with AdamW, or go on in the page.',
    );
  }
  return objective;
}

const refused = (message: string, hint = 'Change the model, or go on in the page.') =>
  new CheckpointError('no_equivalent', message, hint);
