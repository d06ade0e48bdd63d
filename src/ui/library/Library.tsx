/** The dialog of saved runs: their table, comparisons, sweeps, and the storage that they use. */
import { Button, Modal } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { useState } from 'react';
import { useClient, useLibrary } from '../context.tsx';
import { goTo } from '../place.ts';
import { Segmented } from '../Segmented.tsx';
import { BackupProgress } from './BackupProgress.tsx';
import { CompareRuns } from './CompareRuns.tsx';
import { DeletedRuns, UndoNotice } from './DeletedRuns.tsx';
import { LibraryMessages } from './LibraryMessages.tsx';
import { RunTable } from './RunTable.tsx';
import { StoragePanel } from './StoragePanel.tsx';
import './styles.ts';
import '../styles/runs.css';
import { SweepPanel } from './SweepPanel.tsx';
import { useFreshRuns } from './useFreshRuns.ts';

type View = 'runs' | 'sweep' | 'storage';

const VIEWS = [
  { value: 'runs', label: 'Runs' },
  { value: 'sweep', label: 'Sweep' },
  { value: 'storage', label: 'Storage' },
] as const;

export default function Library() {
  const [view, setView] = useState<View>('runs');
  const [compared, setCompared] = useState<readonly string[]>([]);
  useFreshRuns();
  return (
    <Modal
      opened
      onClose={() => goTo({ dialog: null })}
      title={compared.length > 0 ? 'Compare runs' : 'Runs'}
      size="min(1380px, 96vw)"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
      className="library"
    >
      {compared.length > 0 ? (
        <>
          <Button
            size="xs"
            variant="subtle"
            leftSection={<IconArrowLeft size={15} />}
            onClick={() => setCompared([])}
          >
            All runs
          </Button>
          <CompareRuns runs={compared} />
        </>
      ) : (
        <>
          <Segmented label="Part of the library" options={VIEWS} value={view} onChange={setView} />
          <Content view={view} onCompare={setCompared} />
        </>
      )}
    </Modal>
  );
}

interface ContentProps {
  view: View;
  onCompare: (runs: readonly string[]) => void;
}

function Content({ view, onCompare }: ContentProps) {
  switch (view) {
    case 'runs':
      return <Runs onCompare={onCompare} />;
    case 'sweep':
      return <SweepPanel />;
    case 'storage':
      return <StoragePanel />;
    default:
      return view satisfies never;
  }
}

function Runs({ onCompare }: Omit<ContentProps, 'view'>) {
  const client = useClient();
  const [deleted, setDeleted] = useState<readonly string[]>([]);
  const remove = (runs: readonly string[]): void => {
    client.library.delete(runs);
    setDeleted(runs);
  };
  return (
    <>
      <LibraryMessages />
      <BackupProgress />
      <UndoNotice runs={deleted} onDone={() => setDeleted([])} />
      <RunList onCompare={onCompare} onDelete={remove} />
      <DeletedRuns />
    </>
  );
}

function RunList({
  onCompare,
  onDelete,
}: {
  onCompare: (runs: readonly string[]) => void;
  onDelete: (runs: readonly string[]) => void;
}) {
  const runs = useLibrary((state) => state.runs);
  const loaded = useLibrary((state) => state.loaded);
  const storage = useLibrary((state) => state.storage);
  if (runs.length > 0) return <RunTable runs={runs} onCompare={onCompare} onDelete={onDelete} />;
  if (!loaded) return <p className="empty">Loading…</p>;
  if (storage?.available === false)
    return (
      <p className="empty">
        The browser denies storage, so runs are lost when you close the tab: export what you want to
        keep.
      </p>
    );
  return (
    <p className="empty">
      No saved runs yet. A run is saved automatically during training and when you hide the tab.
    </p>
  );
}
