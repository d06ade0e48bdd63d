/** Runs that were deleted: the notice with Undo, and the list of those that can be restored. */
import { Button } from '@mantine/core';
import { ago, bytes, type DeletedRecord } from '../../store/index.ts';
import { useClient, useLibrary } from '../context.tsx';
import { useNow } from './useNow.ts';

interface UndoProps {
  /** Ids of the runs that were deleted last. */
  runs: readonly string[];
  onDone: () => void;
}

export function UndoNotice({ runs, onDone }: UndoProps) {
  const client = useClient();
  const restorable = useLibrary((state) => state.deleted).filter(({ run }) => runs.includes(run));
  const [first] = restorable;
  if (!first) return null;
  const what =
    restorable.length === 1
      ? `“${first.name}” was deleted.`
      : `${restorable.length} runs were deleted.`;
  return (
    <div className="message" data-kind="quiet" role="status" data-testid="undo">
      <p>{what}</p>
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          client.library.restore(restorable.map(({ run }) => run));
          onDone();
        }}
      >
        Undo
      </Button>
      <Button size="xs" variant="subtle" color="gray" onClick={onDone}>
        OK
      </Button>
    </div>
  );
}

export function DeletedRuns() {
  const client = useClient();
  const deleted = useLibrary((state) => state.deleted);
  if (deleted.length === 0) return null;
  const total = deleted.reduce((sum, record) => sum + record.bytes, 0);
  return (
    <details className="deleted-runs">
      <summary>
        Deleted runs ({deleted.length}, {bytes(total)})
      </summary>
      <p className="small muted">They are kept for a day. Until then they take storage.</p>
      <ul>
        {deleted.map((record) => (
          <DeletedItem key={record.run} record={record} />
        ))}
      </ul>
      <Button
        size="xs"
        variant="default"
        onClick={() => client.library.purge(deleted.map(({ run }) => run))}
      >
        Remove all for good
      </Button>
    </details>
  );
}

function DeletedItem({ record }: { record: DeletedRecord }) {
  const client = useClient();
  const now = useNow();
  return (
    <li>
      <span>
        <b>{record.name}</b>{' '}
        <span className="small muted">
          {bytes(record.bytes)}, deleted {ago(record.deleted, now)}
        </span>
      </span>
      <Button
        size="compact-xs"
        variant="light"
        aria-label={`Restore ${record.name}`}
        onClick={() => client.library.restore([record.run])}
      >
        Restore
      </Button>
    </li>
  );
}
