/** What a person can do with the run, as the buttons and the keyboard both call it. */
import { useMemo } from 'react';
import type { PlainError } from '../store/index.ts';
import { isActive, isMoving, type Client } from '../store/index.ts';
import { useClient, useForm, useRun } from './context.tsx';
import { useProblems } from './recipe/problems.ts';
import { goTo } from './place.ts';

export interface Acts {
  train: () => void;
  pause: () => void;
  step: () => void;
  stop: () => void;
  cancel: () => void;
  /** Space: from training to paused and back; with no run, nothing. */
  toggle: () => void;
}

export function useActs(): Acts {
  const client = useClient();
  return useMemo(() => actsOf(client), [client]);
}

function actsOf(client: Client): Acts {
  const phase = () => client.stores.run.getState().phase;
  /** The worker reads the text for the panel; a run asked for now comes next. */
  const isReadingText = () => phase() === 'preparing' && !client.stores.run.getState().opening;
  const train = (): void => {
    goTo({ at: 'room' });
    if (phase() === 'paused') client.train();
    else if (!isActive(phase()) || isReadingText()) client.start();
  };
  return {
    train,
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

/** Whether Train would work, and if not, why. */
export function useTrainable(): { ok: boolean; reason: string } {
  const paused = useRun((state) => state.phase === 'paused');
  const lacksText = useForm((state) => state.config.data.corpus === 'own' && !state.text);
  const lacksTokenizer = useForm(
    (state) => state.config.tokenizer.kind === 'imported' && !state.tokenizerJson,
  );
  const [first] = useProblems();
  if (paused) return { ok: true, reason: '' };
  if (lacksText)
    return {
      ok: false,
      reason: 'Bring a text first: paste it or open a file in the data section.',
    };
  if (lacksTokenizer)
    return { ok: false, reason: 'Open a tokenizer.json first, in the tokenizer section.' };
  return first ? { ok: false, reason: `${first.message} ${first.hint}` } : { ok: true, reason: '' };
}

/** What the button of an error does, and what it is called. */
export function errorAction(
  client: Client,
  error: PlainError,
): { label: string; run: () => void } | null {
  const { run, config } = client.stores.run.getState();
  switch (error.action) {
    case 'resume':
      return run ? { label: 'Resume', run: () => client.resume(run) } : null;
    case 'resume_lower_lr': {
      // A third of the rate that was too much, which in warm-up or decay is not the recipe's.
      const used = client.stores.table.get('lr')?.last ?? NaN;
      const lower = (used > 0 ? used : (config?.training.learning_rate ?? 1e-3)) / 3;
      return run
        ? {
            label: `Resume with learning_rate ${lower.toPrecision(2)}`,
            run: () => client.resume(run, { learning_rate: Number(lower.toPrecision(2)) }),
          }
        : null;
    }
    case 'reload':
      return { label: 'Reload the page', run: () => location.reload() };
    case 'free_storage':
      return { label: 'Open the library', run: () => goTo({ dialog: 'library' }) };
    case 'change_config':
      return { label: 'Change the recipe', run: () => showField(error.field) };
    case undefined:
      return null;
    default:
      return error.action satisfies never;
  }
}

/** Opens the section of a field and brings it into view. */
export function showField(field: string | undefined): void {
  const section = field?.split('.')[0] ?? 'data';
  goTo({ at: 'room', tab: 'recipe', sections: [section] });
  requestAnimationFrame(() => document.getElementById(`field-${field ?? section}`)?.focus());
}
