/** How far a backup is, or what came of the last one. */
import { Button } from '@mantine/core';
import { bytes, type BackupState } from '../../store/index.ts';
import { useClient, useLibrary } from '../context.tsx';

export function BackupProgress() {
  const client = useClient();
  const backup = useLibrary((state) => state.backup);
  if (!backup) return null;
  if (backup.progress) return <Running {...backup.progress} kind={backup.kind} />;
  const lead = LEADS[backup.kind][backup.failed ? 'failed' : 'done'];
  return (
    <div
      className="message"
      data-kind={backup.failed ? 'error' : 'quiet'}
      role={backup.failed ? 'alert' : 'status'}
      data-testid="backup-outcome"
    >
      <p>
        {lead} {backup.outcome.join(' ')}
      </p>
      <Button
        size="xs"
        variant="default"
        onClick={() => client.stores.library.setState({ backup: null })}
      >
        OK
      </Button>
    </div>
  );
}

const LEADS = {
  write: { done: 'The backup was downloaded.', failed: 'There is no backup.' },
  read: { done: 'The backup was read.', failed: 'The backup was not read to its end.' },
};

interface RunningProps {
  kind: BackupState['kind'];
  done: number;
  total: number;
}

function Running({ kind, done, total }: RunningProps) {
  const client = useClient();
  const verb = kind === 'write' ? 'Packing the runs' : 'Reading the backup';
  return (
    <div className="message" data-kind="quiet" data-testid="backup-progress">
      <p>
        {verb}
        {total > 0 ? `: ${bytes(done)} of ${bytes(total)}` : '…'}
        <progress aria-label={verb} value={total > 0 ? done : undefined} max={total || 1} />
      </p>
      <Button size="xs" variant="default" onClick={() => client.library.cancelBackup()}>
        Cancel
      </Button>
    </div>
  );
}
