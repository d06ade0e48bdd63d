/**
 * Train, pause, step, stop: the buttons keep their places, so that nothing jumps under the pointer.
 */
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
import { useActs, useTrainable } from '../acts.ts';

export function Controls() {
  const acts = useActs();
  const phase = useRun((state) => state.phase);
  const trainable = useTrainable();
  // Reading the text for the panel keeps nobody from training: the button must not change under the
  // pointer.
  const preparing = useRun((state) => state.opening) && !isMoving(phase) && phase !== 'paused';
  const held = phase === 'paused' || isMoving(phase);
  return (
    <div className="controls" role="group" aria-label="Training">
      {preparing ? (
        <Button
          size="sm"
          variant="default"
          leftSection={<IconX size={15} />}
          onClick={acts.cancel}
          className="main-button"
        >
          Cancel
        </Button>
      ) : isMoving(phase) ? (
        <Button
          size="sm"
          variant="light"
          leftSection={<IconPlayerPauseFilled size={15} />}
          onClick={acts.pause}
          className="main-button"
        >
          Pause
        </Button>
      ) : (
        <Button
          size="sm"
          title={trainable.reason || undefined}
          leftSection={<IconPlayerPlayFilled size={15} />}
          onClick={acts.train}
          data-disabled={!trainable.ok || undefined}
          aria-disabled={!trainable.ok}
          className="main-button"
        >
          Train
        </Button>
      )}
      <Button
        title="One step ( . )"
        size="sm"
        variant="default"
        onClick={acts.step}
        disabled={!held}
        aria-label="Step"
        className="icon-button"
      >
        <IconPlayerSkipForwardFilled size={15} />
      </Button>
      <Button
        title="Stop and save"
        size="sm"
        variant="default"
        onClick={acts.stop}
        disabled={!held}
        aria-label="Stop"
        className="icon-button"
      >
        <IconPlayerStopFilled size={15} />
      </Button>
    </div>
  );
}
