/** What can be done with all selected runs. */
import { Button } from '@mantine/core';
import { IconArchive, IconChartLine, IconScale, IconTrash } from '@tabler/icons-react';
import { MAX_OVERLAYS } from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { downloadBackup } from './download_backup.ts';
import { isDeletable } from './RunActions.tsx';
import type { RunRow } from './run_columns.tsx';

/** Curves of more runs could not be told apart. */
export const MAX_COMPARED = 8;

interface SelectionBarProps {
  selected: readonly RunRow[];
  onCompare: (runs: readonly string[]) => void;
  onDelete: (runs: readonly string[]) => void;
  onClear: () => void;
}

export function SelectionBar({ selected, onCompare, onDelete, onClear }: SelectionBarProps) {
  const client = useClient();
  const current = useRun((state) => state.run);
  const busy = useLibrary((state) => state.backup?.progress != null);
  if (selected.length === 0)
    return (
      <p className="small muted selection-hint">
        Select runs to compare, overlay, back up or delete them.
      </p>
    );
  const ids = selected.map(({ record }) => record.run);
  const deletable = selected.filter(({ status }) => isDeletable(status));
  const others = ids.filter((id) => id !== current);
  return (
    <div className="selection" role="group" aria-label="Selected runs">
      <span className="small" role="status">
        {selected.length} selected
      </span>
      <Button
        size="xs"
        leftSection={<IconScale size={14} />}
        disabled={ids.length < 2 || ids.length > MAX_COMPARED}
        title={`Compares 2 to ${MAX_COMPARED} runs`}
        onClick={() => onCompare(ids)}
      >
        Compare
      </Button>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconChartLine size={14} />}
        disabled={others.length === 0 || others.length > MAX_OVERLAYS}
        title={`Draws at most ${MAX_OVERLAYS} runs under the current one`}
        onClick={() => void client.library.overlay(others)}
      >
        Overlay
      </Button>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconArchive size={14} />}
        disabled={busy}
        onClick={() => void downloadBackup(client, ids)}
      >
        Back up
      </Button>
      <Button
        size="xs"
        variant="default"
        color="red"
        leftSection={<IconTrash size={14} />}
        disabled={deletable.length === 0}
        title={deletable.length < ids.length ? 'Runs that are open are left alone' : undefined}
        onClick={() => onDelete(deletable.map(({ record }) => record.run))}
      >
        {deletable.length < ids.length ? `Delete ${deletable.length}` : 'Delete'}
      </Button>
      <Button size="xs" variant="subtle" color="gray" onClick={onClear}>
        Clear
      </Button>
    </div>
  );
}
