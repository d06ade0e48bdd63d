/** Actions on the run, shared by the buttons and the keyboard shortcuts. */
import { useMemo } from 'react';
import type { PlainError } from '../store/index.ts';
import { isActive, isMoving, type Client, type RunState } from '../store/index.ts';
import { useClient, useForm } from './context.tsx';
import { useSettledRun } from './recipe/useSettledRun.ts';
import { goTo } from './place.ts';
import { saveAndReload } from './states/reload.ts';
import { exportCheckpoint } from './transfer.ts';

export interface RunActions {
  /** Continues a paused run, or one that was stopped before its last step. */
  resume: () => void;
  /** Starts a run with the form's recipe; a current run is saved first. */
  startNew: () => void;
  pause: () => void;
  step: () => void;
  stop: () => void;
  cancel: () => void;
  /** Toggles between training and paused; does nothing without a run. */
  toggle: () => void;
}

/** The run ended before its last step, and not because of a limit that it would meet again. */
export const canTrainFurther = ({ phase, run, step, config, finished }: RunState): boolean =>
  phase === 'done' &&
  run !== null &&
  config !== null &&
  step < config.training.max_iters &&
  (finished === 'stopped' || finished === 'early_stopping');

export function useRunActions(): RunActions {
  const client = useClient();
  return useMemo(() => actionsOf(client), [client]);
}

function actionsOf(client: Client): RunActions {
  const { run } = client.stores;
  const phase = () => run.getState().phase;
  const canResume = () => phase() === 'paused' || canTrainFurther(run.getState());
  /** The worker is only reading the text for the data panel; a new run is queued behind it. */
  const isReadingText = () => phase() === 'preparing' && !run.getState().opening;
  const resume = (): void => {
    if (!canResume()) return;
    goTo({ at: 'workspace' });
    client.train();
  };
  return {
    resume,
    startNew: () => {
      if (isMoving(phase()) || (isActive(phase()) && !canResume() && !isReadingText())) return;
      goTo({ at: 'workspace' });
      client.start();
    },
    pause: () => client.pause(),
    step: () => client.step(),
    stop: () => client.stopRun(),
    cancel: () => client.cancel(),
    toggle: () => {
      if (isMoving(phase())) client.pause();
      else if (phase() === 'paused') client.train();
    },
  };
}

export interface Availability {
  ok: boolean;
  /** Why not, to show; empty if it is available. */
  reason: string;
}

/** Whether a run can be started with the form's recipe. */
export function useStartable(): Availability {
  const lacksText = useForm((state) => state.config.data.corpus === 'own' && !state.text);
  const lacksTokenizer = useForm(
    (state) => state.config.tokenizer.kind === 'imported' && !state.tokenizerJson,
  );
  const [problem] = useSettledRun().problems;
  if (lacksText)
    return {
      ok: false,
      reason: 'Add some text first: paste it, or open a file in the Data section.',
    };
  if (lacksTokenizer)
    return { ok: false, reason: 'Open a tokenizer.json first, in the Tokenizer section.' };
  if (problem) return { ok: false, reason: `${problem.message} ${problem.hint}` };
  return { ok: true, reason: '' };
}

/** A button of an error message. */
export interface ErrorAction {
  label: string;
  run: () => void;
}

/** Factor on the learning rate after a loss that exploded. */
const LOWER_LR = 1 / 3;

/** The button that an error offers, or null if it offers none. */
export function errorAction(client: Client, error: PlainError): ErrorAction | null {
  const { run, lr_multiplier } = client.stores.run.getState();
  switch (error.action) {
    case 'resume':
      // The multiplier may have been set after the last checkpoint.
      return run ? { label: 'Resume', run: () => client.resume(run, { lr_multiplier }) } : null;
    case 'resume_lower_lr': {
      if (!run) return null;
      const learning_rate = LOWER_LR * latestLearningRate(client);
      return {
        label: `Resume with learning rate ${learning_rate.toPrecision(2)}`,
        run: () => client.resume(run, { lr_multiplier: rounded(LOWER_LR * lr_multiplier) }),
      };
    }
    case 'export':
      return { label: 'Export the run', run: () => void exportCheckpoint(client) };
    case 'reload':
      return { label: 'Reload the page', run: () => void saveAndReload(client) };
    case 'free_storage':
      return { label: 'Manage runs', run: () => goTo({ dialog: 'library' }) };
    case 'change_config':
      return { label: 'Edit the recipe', run: () => showField(error.field) };
    case undefined:
      return null;
    default:
      return error.action satisfies never;
  }
}

/** To three digits, as a user would type it. */
const rounded = (multiplier: number): number => Number(multiplier.toPrecision(3));

/**
 * The learning rate of the last step. During warm-up or decay, this differs from the configured
 * one.
 */
function latestLearningRate(client: Client): number {
  const logged = client.stores.table.get('lr')?.last ?? NaN;
  if (logged > 0) return logged;
  return client.stores.run.getState().config?.training.learning_rate ?? 1e-3;
}

/** Expands the section of a field and focuses the field. */
function showField(field: string | undefined): void {
  const section = field?.split('.')[0] ?? 'data';
  goTo({ at: 'workspace', tab: 'recipe', sections: [section] });
  requestAnimationFrame(() => {
    const input = document.getElementById(`field-${field ?? section}`);
    // Rare options are folded.
    input?.closest('details')?.setAttribute('open', '');
    input?.focus();
  });
}
