/** What fails while the run trains on, beside what it concerns, until it succeeds. */
import { Button } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { Concern, PlainError } from '../../store/index.ts';
import { errorAction } from '../actions.ts';
import { useClient, useRun } from '../context.tsx';
import '../styles/messages.css';

/** The errors of these concerns, in this order. */
export function Troubles({ of }: { of: readonly Concern[] }) {
  const troubles = useRun((state) => state.troubles);
  return of.map((concern) => {
    const error = troubles[concern];
    return error ? <Trouble key={concern} concern={concern} error={error} /> : null;
  });
}

function Trouble({ concern, error }: { concern: Concern; error: PlainError }) {
  const client = useClient();
  const action = errorAction(client, error);
  return (
    <div className="message" data-kind="error" role="alert" data-testid={`trouble-${concern}`}>
      <IconAlertTriangle size={20} aria-hidden />
      <p>
        <strong>{error.message}</strong> {error.hint}
      </p>
      {action ? (
        <Button size="xs" color="red" variant="light" onClick={action.run}>
          {action.label}
        </Button>
      ) : null}
    </div>
  );
}
