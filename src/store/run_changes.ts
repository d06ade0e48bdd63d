/** Changes of the run's state that the page makes, not an event of the worker. */
import type { Concern, PlainError } from '../protocol/index.ts';
import { initialRun, isActive, type RunState } from './run_state.ts';

const MAX_NOTICES = 4;
let noticeId = 0;
/** `run`: the run that it concerns; undefined if it concerns the page. */
export const withNotice = (
  state: RunState,
  message: string,
  run?: string,
): Pick<RunState, 'notices'> => {
  noticeId += 1;
  return { notices: [...state.notices, { id: noticeId, message, run }].slice(-MAX_NOTICES) };
};

export const withoutNotice = ({ notices }: RunState, id: number): Pick<RunState, 'notices'> => ({
  notices: notices.filter((notice) => notice.id !== id),
});

/** Without the errors of these concerns; empty if there are none. */
export function withoutTroubles(
  { troubles }: Pick<RunState, 'troubles'>,
  ...concerns: readonly Concern[]
): Partial<Pick<RunState, 'troubles'>> {
  if (!concerns.some((concern) => troubles[concern])) return {};
  const kept = { ...troubles };
  for (const concern of concerns) delete kept[concern];
  return { troubles: kept };
}

/** A run that failed keeps its outcome; what failed before there was a run leaves nothing. */
export const withoutError = ({ phase, run }: RunState): Pick<RunState, 'error' | 'phase'> => ({
  error: null,
  phase: phase === 'failed' && run === null ? 'idle' : phase,
});

/** The worker was ended by the page. A run that had ended keeps its outcome. */
export const withoutWorker = ({ phase }: Pick<RunState, 'phase'>): Partial<RunState> => ({
  connection: 'none',
  phase: phase === 'done' ? phase : 'idle',
  detail: '',
  progress: null,
  readingText: null,
  generation: null,
});

/** The state of a run that was requested. What is known of the device and the text is kept. */
export function clearedRun(
  { device, calibration, notices, data, connection }: RunState,
  asked: Pick<RunState, 'name' | 'config' | 'pressed'>,
): RunState {
  const kept = { device, calibration, notices, data, connection };
  return { ...initialRun, ...kept, ...openingRun('Reading the text'), ...asked };
}

/** A run is being prepared. */
export const openingRun = (detail: string): Partial<RunState> => ({
  error: null,
  finished: null,
  phase: 'preparing',
  detail,
  progress: null,
  opening: true,
});

/**
 * The worker is given files to read. It says so itself, but later: until then, the page must not ask
 * it for a text, whose progress would clear the error of files that are no model.
 */
export function readingFiles({ run, phase }: RunState): Partial<RunState> {
  if (run !== null || isActive(phase)) return { error: null };
  return { error: null, phase: 'preparing', detail: 'Reading the files.', progress: null };
}

/** The worker ended unexpectedly. */
export function afterDeath({ savedStep, run }: RunState, reason: string): Partial<RunState> {
  const message = `The training worker stopped by itself (${reason}).`;
  const canResume = savedStep !== null && run !== null;
  const error: PlainError = {
    code: 'worker_died',
    message,
    hint: canResume
      ? `The checkpoint of step ${savedStep} is safe: resume from there.`
      : 'Saved runs are safe. Start again, or reload the page if it happens twice.',
    action: canResume ? 'resume' : 'reload',
  };
  const stopped = { phase: 'failed', detail: '', progress: null, readingText: null } as const;
  return { connection: 'dead', error, generation: null, ...stopped };
}
