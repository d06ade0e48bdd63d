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

/** After a stage: what can be trained from it. A reward model has no further stage of its own. */
function NextStage() {
  const run = useRun((state) => state.run);
  const objective = useRun((state) => state.lineage?.objective);
  const next = (): void =>
    objective === 'reward' ? goToModels('stages') : goToModels('new_stage', run);
  return <TrainButton label={objective === 'reward' ? 'Stages' : 'Next stage'} onClick={next} />;
}

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
  const isStage = useRun((state) => state.stage !== null);
  const changed = useRecipeChanged();
  const startable = useStartable();
  if (paused) {
    const title = changed ? `Continues “${run.getState().name}” with its own recipe` : undefined;
    return <TrainButton label="Resume" title={title} onClick={actions.resume} />;
  }
  if (further) return <TrainButton label="Train further" onClick={actions.resume} />;
  if (ended && isStage) return <NextStage />;
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
