/** The notice that a run was deleted, with a way to undo it. */
import { Button } from '@mantine/core';
import { useEffect, useRef } from 'react';
import type { Client } from '../../store/index.ts';
import { useClient, useLibrary } from '../context.tsx';

/** How long a deletion can be undone. */
const UNDO_MS = 8_000;

/** Hides a run, or shows it again. It stays in storage until `deleteRun`. */
export function setDeleted(client: Client, run: string, deleted: boolean): void {
  client.stores.library.setState((state) => {
    const leaving = new Set(state.leaving);
    if (deleted) leaving.add(run);
    else leaving.delete(run);
    return { leaving };
  });
}

/** Deletes the run from storage on unmount: after the undo time, or when the dialog closes. */
export function DeletedRun({ run }: { run: string }) {
  const client = useClient();
  const name = useLibrary((state) => state.runs.find((one) => one.run === run)?.name ?? 'The run');
  const undone = useRef(false);
  useEffect(() => {
    const timer = setTimeout(() => setDeleted(client, run, false), UNDO_MS);
    return () => {
      clearTimeout(timer);
      if (undone.current) return;
      client.deleteRun(run);
      setDeleted(client, run, false);
    };
  }, [client, run]);
  return (
    <div className="message" data-kind="quiet" role="status">
      <p>“{name}” was deleted.</p>
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          undone.current = true;
          setDeleted(client, run, false);
        }}
      >
        Undo
      </Button>
    </div>
  );
}
