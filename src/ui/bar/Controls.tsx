/**
 * Train, resume, pause, step and stop, and a new run beside a paused one. The buttons keep their
 * positions in every state: what comes and goes is on their left.
 */
import { Button } from '@mantine/core';
import {
  IconPlayerPauseFilled,
  IconPlayerPlayFilled,
  IconPlayerSkipForwardFilled,
  IconPlayerStopFilled,
  IconPlus,
  IconX,
} from '@tabler/icons-react';
import { differsFromRun, isMoving } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import {
  canTrainFurther,
  useRunActions,
  useStartable,
  type Availability,
  type RunActions,
} from '../actions.ts';
import '../styles/controls.css';

export function Controls() {
  const actions = useRunActions();
  const hasLoadedRun = useRun((state) => state.phase === 'paused' || isMoving(state.phase));
  return (
    <div className="controls" role="group" aria-label="Training">
      <NewRun actions={actions} />
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
  return waits && changed;
}

/** Beside a run that can be continued: a new one, and whether it would be another. */
function NewRun({ actions }: { actions: RunActions }) {
  const waits = useRun((state) => state.phase === 'paused' || canTrainFurther(state));
  const changed = useRecipeChanged();
  const startable = useStartable();
  if (!waits) return null;
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

/** Train, Resume, Pause or Cancel, whichever applies. */
function MainButton({ actions }: { actions: RunActions }) {
  const moving = useRun((state) => isMoving(state.phase));
  // False while the worker only reads the text for the data panel: Train stays available then, and
  // the button does not change under the pointer.
  const starting = useRun(
    (state) => state.opening && !isMoving(state.phase) && state.phase !== 'paused',
  );
  if (starting)
    return (
      <Button
        size="sm"
        variant="default"
        leftSection={<IconX size={15} />}
        onClick={actions.cancel}
        className="main-button"
      >
        Cancel
      </Button>
    );
  if (moving)
    return (
      <Button
        size="sm"
        variant="light"
        leftSection={<IconPlayerPauseFilled size={15} />}
        onClick={actions.pause}
        className="main-button"
      >
        Pause
      </Button>
    );
  return <GoButton actions={actions} />;
}

/** Continues the run, if there is one to continue, or starts one. */
function GoButton({ actions }: { actions: RunActions }) {
  const { run } = useClient().stores;
  const paused = useRun((state) => state.phase === 'paused');
  const further = useRun(canTrainFurther);
  const ended = useRun((state) => state.run !== null);
  const changed = useRecipeChanged();
  const startable = useStartable();
  if (paused) {
    const title = changed ? `Continues “${run.getState().name}” with its own recipe` : undefined;
    return <TrainButton label="Resume" title={title} onClick={actions.resume} />;
  }
  if (further) return <TrainButton label="Train further" onClick={actions.resume} />;
  const label = ended ? 'Start new run' : 'Train';
  return <TrainButton label={label} availability={startable} onClick={actions.startNew} />;
}

interface TrainButtonProps {
  label: string;
  title?: string | undefined;
  availability?: Availability;
  onClick: () => void;
}

const AVAILABLE: Availability = { ok: true, reason: '' };

/** Stays focusable while unavailable, so that its tooltip can give the reason. */
function TrainButton({ label, title, availability = AVAILABLE, onClick }: TrainButtonProps) {
  return (
    <Button
      size="sm"
      title={availability.reason || title}
      leftSection={<IconPlayerPlayFilled size={15} />}
      onClick={onClick}
      data-disabled={!availability.ok || undefined}
      aria-disabled={!availability.ok}
      data-long={label.length > 8 || undefined}
      className="main-button"
    >
      {label}
    </Button>
  );
}
