/** Train, pause, step and stop. The buttons keep their positions in every state. */
import { Button } from '@mantine/core';
import {
  IconPlayerPauseFilled,
  IconPlayerPlayFilled,
  IconPlayerSkipForwardFilled,
  IconPlayerStopFilled,
  IconX,
} from '@tabler/icons-react';
import { isMoving } from '../../store/index.ts';
import { useRun } from '../context.tsx';
import { useRunActions, useTrainable, type RunActions } from '../actions.ts';

export function Controls() {
  const actions = useRunActions();
  const hasLoadedRun = useRun((state) => state.phase === 'paused' || isMoving(state.phase));
  return (
    <div className="controls" role="group" aria-label="Training">
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

/** Train, Pause or Cancel, whichever applies. */
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
  return <TrainButton onClick={actions.train} />;
}

/** Stays focusable while unavailable, so that its tooltip can give the reason. */
function TrainButton({ onClick }: { onClick: () => void }) {
  const trainable = useTrainable();
  return (
    <Button
      size="sm"
      title={trainable.reason || undefined}
      leftSection={<IconPlayerPlayFilled size={15} />}
      onClick={onClick}
      data-disabled={!trainable.ok || undefined}
      aria-disabled={!trainable.ok}
      className="main-button"
    >
      Train
    </Button>
  );
}
