/** What every message of an error shows: what happened, what to do, and the button that does it. */
import { Button } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { PlainError } from '../../store/index.ts';
import { errorAction } from '../actions.ts';
import { useClient } from '../context.tsx';

export function ErrorBody({ error }: { error: PlainError }) {
  const action = errorAction(useClient(), error);
  return (
    <>
      <IconAlertTriangle size={20} aria-hidden />
      <p>
        <strong>{error.message}</strong> {error.hint}
      </p>
      {action ? (
        <Button size="xs" color="red" variant="light" onClick={action.run}>
          {action.label}
        </Button>
      ) : null}
    </>
  );
}
