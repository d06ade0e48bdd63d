/** What the lab says when its ranks have ended. */
import { type LabState, mayPause } from './lab_state.ts';

/** The checkpoint from which a failed run can be continued, as a sentence; '' if there is none. */
export function checkpointLeft({ saved, from }: Pick<LabState, 'saved' | 'from'>): string {
  if (saved)
    return `The checkpoint of step ${saved.step} is complete: continue from it, with any mesh.`;
  if (!from) return '';
  return (
    'No later step was saved: continue again from ' +
    `the checkpoint of step ${from.step} of “${from.name}”, with any mesh.`
  );
}

/** Explains that a rank is gone. `why` is a clause, such as "its worker was ended". */
export function rankGone(rank: number, why: string, state: LabState): string {
  const gone = `Rank ${rank} is gone (${why}), and no step is complete without it. `;
  return gone + (checkpointLeft(state) || 'Start again.');
}

/** Explains that a rank has failed. `message` is its error, as sentences. */
export function rankFailed(rank: number, message: string, state: LabState): string {
  return runFailed(`Rank ${rank} failed: ${message}`, state);
}

/** Explains what ended the run on all ranks alike. `message` is the error, as sentences. */
export function runFailed(message: string, state: LabState): string {
  return `${message} ${checkpointLeft(state)}`.trim();
}

/** What a run without automatic saves can lose while it trains, in a sentence; '' if nothing. */
export function unsavedWhileTraining(state: LabState): string {
  const { phase, config, saved, from } = state;
  const isTraining = mayPause({ phase }) || phase === 'opening';
  if (!isTraining || config?.runtime.autosave_interval !== 0) return '';
  const kept = saved?.step ?? from?.step;
  const why = 'as “Save every” is 0: a reload or the end of a rank loses';
  if (kept === undefined) return `Nothing of it is saved until it pauses or is done, ${why} it.`;
  return `The steps after ${kept} are saved only when it pauses or is done, ${why} them.`;
}

/** Which steps were lost when the user ended the ranks, in a sentence; '' if none were. */
export function unsavedSteps({ step, saved, from }: LabState): string {
  const kept = saved?.step ?? from?.step;
  if (step <= (kept ?? 0)) return '';
  if (kept === undefined) return 'Nothing of this run was saved.';
  return `The steps after ${kept} were not saved.`;
}
