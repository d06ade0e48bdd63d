/**
 * Train, resume, pause, step and stop, and a new run beside a paused one. The buttons keep their
 * positions in every state: what comes and goes is on their left.
 */
import { Button } from '@mantine/core';
import {
  IconMessage,
  IconPlayerPauseFilled,
  IconPlayerPlayFilled,
  IconPlayerSkipForwardFilled,
  IconPlayerStopFilled,
  IconPlus,
  IconX,
} from '@tabler/icons-react';
import type { KeyboardEvent, ReactNode } from 'react';
import { differsFromRun, isMoving } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import {
  canTrainFurther,
  useRunActions,
  useStartable,
  type Availability,
  type RunActions,
} from '../actions.ts';
import { useLesson } from '../lesson/useLesson.ts';
import { goToModels } from '../place.ts';
import '../styles/controls.css';

export function Controls() {
  const actions = useRunActions();
  const hasLoadedRun = useRun((state) => state.phase === 'paused' || isMoving(state.phase));
  return (
    <div className="controls" role="group" aria-label="Training">
      <NewRun actions={actions} />
      <FirstStage />
      <MainButton actions={actions} />
      <Button
        title="One step ( . )"
        size="sm"
        variant="default"
        onClick={actions.step}
        disabled={!hasLoadedRun}
        aria-label="Step"
        className="icon-button"
      >
        <IconPlayerSkipForwardFilled size={15} />
      </Button>
      <Button
        title="Stop and save"
        size="sm"
        variant="default"
        onClick={actions.stop}
        disabled={!hasLoadedRun}
        aria-label="Stop"
        className="icon-button"
      >
        <IconPlayerStopFilled size={15} />
      </Button>
    </div>
  );
}

/** Whether the recipe in the form is not that of the run that Resume would continue. */
export function useRecipeChanged(): boolean {
  const waits = useRun((state) => state.phase === 'paused' || canTrainFurther(state));
  const recipe = useRun((state) => state.recipe);
  const changed = useForm((state) => differsFromRun(state, recipe));
  // The form is that of a base model, not of a stage.
  const isStage = useRun((state) => state.stage !== null);
  return waits && changed && !isStage;
}

/** Beside a run that can be continued: a new one, and whether it would be another. */
function NewRun({ actions }: { actions: RunActions }) {
  const waits = useRun((state) => state.phase === 'paused' || canTrainFurther(state));
  const changed = useRecipeChanged();
  const startable = useStartable();
  const isStage = useRun((state) => state.stage !== null);
  if (!waits || isStage) return null;
  return (
    <>
      {changed ? (
        <span
          className="recipe-changed"
          role="status"
          title="Resume continues the run with the recipe that it was started with"
        >
          Recipe changed
        </span>
      ) : null}
      <Button
        size="sm"
        variant={changed ? 'light' : 'default'}
        data-changed={changed || undefined}
        title={startable.reason || NEW_RUN_HELP}
        leftSection={<IconPlus size={15} />}
        onClick={startable.ok ? actions.startNew : undefined}
        data-disabled={!startable.ok || undefined}
        aria-disabled={!startable.ok}
        aria-label="Start new run"
        className="new-run"
      >
        Start new run
      </Button>
    </>
  );
}

const NEW_RUN_HELP = 'Start a new run with the recipe as it is now; the current run stays saved';

/** After a base model has been trained: the stage that usually comes next. */
function FirstStage() {
  const lesson = useLesson().active;
  const run = useRun((state) => (state.phase === 'done' && state.step > 0 ? state.run : null));
  const isStage = useRun((state) => state.stage !== null);
  if (run === null || isStage || lesson) return null;
  return (
    <Button
      size="sm"
      variant="light"
      title="Trains it further on questions and answers"
      leftSection={<IconMessage size={15} />}
      onClick={() => goToModels('new_stage', run)}
      aria-label="Teach it to answer"
      className="new-run"
    >
      Teach it to answer
    </Button>
  );
}

interface MainAction {
  label: string;
  variant?: 'light' | 'default';
  icon: ReactNode;
  title?: string | undefined;
  availability?: Availability;
  onClick: () => void;
}

const AVAILABLE: Availability = { ok: true, reason: '' };

/**
 * Train, Resume, Pause or Cancel, whichever applies: one element, which keeps the focus when it
 * changes. It stays focusable while unavailable, so that its tooltip can give the reason.
 */
function MainButton({ actions }: { actions: RunActions }) {
  const { label, variant, icon, title, availability, onClick } = useMainAction(actions);
  const { ok, reason } = availability ?? AVAILABLE;
  return (
    <Button
      size="sm"
      variant={variant ?? 'filled'}
      title={reason || title}
      leftSection={icon}
      onClick={onClick}
      onKeyDown={ignoreRepeat}
      data-disabled={!ok || undefined}
      aria-disabled={!ok}
      data-long={label.length > 8 || undefined}
      className="main-button"
    >
      {label}
    </Button>
  );
}

/** A key that is held would start a run and pause it again. */
const ignoreRepeat = (event: KeyboardEvent): void => {
  if (event.repeat) event.preventDefault();
};

function useMainAction(actions: RunActions): MainAction {
  const moving = useRun((state) => isMoving(state.phase));
  // False while the worker only reads the text for the data panel: Train stays available then, and
  // the button does not change under the pointer.
  const starting = useRun(
    (state) => state.opening && !isMoving(state.phase) && state.phase !== 'paused',
  );
  const go = useGoAction(actions);
  if (starting)
    return {
      label: 'Cancel',
      variant: 'default',
      icon: <IconX size={15} />,
      onClick: actions.cancel,
    };
  if (moving)
    return {
      label: 'Pause',
      variant: 'light',
      icon: <IconPlayerPauseFilled size={15} />,
      onClick: actions.pause,
    };
  return { icon: <IconPlayerPlayFilled size={15} />, ...go };
}

/** Continues the run, if there is one to continue, or starts one. */
function useGoAction(actions: RunActions): Omit<MainAction, 'icon'> {
  const { run } = useClient().stores;
  const paused = useRun((state) => state.phase === 'paused');
  const further = useRun(canTrainFurther);
  const ended = useRun((state) => state.run);
  const objective = useRun((state) => state.lineage?.objective);
  const isStage = useRun((state) => state.stage !== null);
  const changed = useRecipeChanged();
  const availability = useStartable();
  if (paused) {
    const title = changed ? `Continues “${run.getState().name}” with its own recipe` : undefined;
    return { label: 'Resume', title, onClick: actions.resume };
  }
  if (further) return { label: 'Train further', onClick: actions.resume };
  // A reward model has no further stage of its own.
  if (ended && objective === 'reward')
    return { label: 'Stages', onClick: () => goToModels('stages') };
  if (ended && isStage)
    return { label: 'Next stage', onClick: () => goToModels('new_stage', ended) };
  const label = ended ? 'Start new run' : 'Train';
  return { label, availability, onClick: actions.startNew };
}
