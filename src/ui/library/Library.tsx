/** The dialog of saved runs and the storage that they use. */
import { Modal } from '@mantine/core';
import { useEffect } from 'react';
import { bytes, visibleRuns, type StorageUse } from '../../store/index.ts';
import { useClient, useLibrary } from '../context.tsx';
import { goTo } from '../place.ts';
import { DeletedRun } from './DeletedRun.tsx';
import { RunItem } from './RunItem.tsx';
import './styles.ts';

export default function Library() {
  const client = useClient();
  const deleted = useLibrary((state) => state.leaving);
  useEffect(() => {
    client.listRuns();
  }, [client]);
  return (
    <Modal
      opened
      onClose={() => goTo({ dialog: null })}
      title="Runs"
      size="xl"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <Storage />
      {[...deleted].map((run) => (
        <DeletedRun key={run} run={run} />
      ))}
      <RunList />
    </Modal>
  );
}

function RunList() {
  const state = useLibrary((whole) => whole);
  const runs = visibleRuns(state);
  if (runs.length > 0)
    return (
      <ul className="runs" data-testid="runs">
        {runs.map((record) => (
          <RunItem key={record.run} record={record} />
        ))}
      </ul>
    );
  if (!state.loaded) return <p className="empty">Loading…</p>;
  // Every listed run is being deleted: the undo messages say so.
  if (state.runs.length > 0) return <p className="empty" />;
  return (
    <p className="empty">
      No saved runs yet. A run is saved automatically during training and when you hide the tab.
    </p>
  );
}

function Storage() {
  const storage = useLibrary((state) => state.storage);
  if (!storage) return null;
  if (!storage.available)
    return (
      <p className="field-problem">
        The browser denies storage, so runs are lost when you close the tab.
      </p>
    );
  const share = storage.quota ? storage.used / storage.quota : 0;
  return (
    <div className="storage">
      <p className="small muted">{storageText(storage)}</p>
      <div className="memory-bar">
        <i style={{ width: `${Math.max(0.5, share * 100)}%`, background: 'var(--accent)' }} />
      </div>
    </div>
  );
}

function storageText({ used, quota, persistent }: StorageUse): string {
  const use = quota === null ? `${bytes(used)} used` : `${bytes(used)} used of ${bytes(quota)}`;
  return persistent ? `${use}.` : `${use}. The browser may clear it when the disk is full.`;
}
