/**
 * Saved runs: resume, rename, duplicate, lay under the charts, delete (with a way back); and the
 * storage they take.
 */
import { ActionIcon, Button, Modal, TextInput } from '@mantine/core';
import { IconChartLine, IconCopy, IconDots, IconPencil, IconTrash } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import {
  ago,
  bytes,
  compact,
  count,
  isActive,
  lossText,
  takeConfig,
  visibleRuns,
  type RunRecord,
} from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { Popup, PopupItem, PopupLine } from '../popup/Popup.tsx';
import './styles.ts';

/** Until then a deletion can be undone. */
const UNDO_MS = 8_000;

export default function Library() {
  const client = useClient();
  const runs = useLibrary((state) => state.runs).length;
  const loaded = useLibrary((state) => state.loaded);
  const leaving = useLibrary((state) => state.leaving);
  const state = useLibrary((whole) => whole);
  const shown = visibleRuns(state);
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
      {[...leaving].map((run) => (
        <Leaving key={run} run={run} />
      ))}
      {shown.length === 0 ? (
        <p className="empty">
          {loaded && runs === 0
            ? 'No run is saved yet. A run saves itself as it trains, and when the tab is hidden.'
            : loaded
              ? ''
              : 'Looking…'}
        </p>
      ) : (
        <ul className="runs" data-testid="runs">
          {shown.map((record) => (
            <RunItem key={record.run} record={record} />
          ))}
        </ul>
      )}
    </Modal>
  );
}

function Storage() {
  const storage = useLibrary((state) => state.storage);
  if (!storage) return null;
  if (!storage.available)
    return (
      <p className="field-problem">This window may not store anything, so runs end with the tab.</p>
    );
  const share = storage.quota ? storage.used / storage.quota : 0;
  return (
    <div className="storage">
      <p className="small muted">
        {bytes(storage.used)} stored
        {storage.quota === null ? '' : ` of ${bytes(storage.quota)} that the browser allows`}
        {storage.persistent ? '.' : '; the browser may clear it when the disk is full.'}
      </p>
      <div className="memory-bar">
        <i style={{ width: `${Math.max(0.5, share * 100)}%`, background: 'var(--accent)' }} />
      </div>
    </div>
  );
}

function RunItem({ record }: { record: RunRecord }) {
  const client = useClient();
  const [now] = useState(() => Date.now());
  const busy = useRun((state) => isActive(state.phase));
  const current = useRun((state) => state.run === record.run);
  const laid = useLibrary((state) => state.overlays.has(record.run));
  const [renaming, setRenaming] = useState(false);
  const overlay = (): void => {
    if (!laid) {
      client.overlay(record.run);
      return;
    }
    client.stores.library.setState((state) => {
      const overlays = new Map(state.overlays);
      overlays.delete(record.run);
      return { overlays };
    });
  };
  return (
    <li className="run" data-testid={`run-${record.run}`}>
      <div className="run-text">
        {renaming ? (
          <Rename record={record} done={() => setRenaming(false)} />
        ) : (
          <b>{record.name}</b>
        )}
        <p className="small muted">
          Step {count(record.step)} of {count(record.max_iters)}
          {record.val_loss === null ? '' : ` · validation loss ${lossText(record.val_loss)}`} ·{' '}
          {compact(record.n_params)} parameters · {bytes(record.bytes)} · {ago(record.updated, now)}
          {record.locked && !current ? ' · open in another tab' : ''}
          {record.resumable ? '' : ' · its checkpoint does not open'}
        </p>
      </div>
      {current && busy ? (
        <span className="mark">open here</span>
      ) : (
        <Button
          size="xs"
          variant="light"
          disabled={busy || record.locked || !record.resumable}
          onClick={() => {
            goTo({ dialog: null, at: 'room', tab: 'charts' });
            client.resume(record.run, { paused: record.step >= record.max_iters });
          }}
        >
          {record.step >= record.max_iters ? 'Open' : 'Resume'}
        </Button>
      )}
      <ActionIcon
        variant={laid ? 'filled' : 'default'}
        size={30}
        aria-label={`Lay ${record.name} under the charts`}
        aria-pressed={laid}
        disabled={current}
        onClick={overlay}
      >
        <IconChartLine size={16} />
      </ActionIcon>
      <Popup
        label={`More about ${record.name}`}
        kind="menu"
        width={190}
        className="square small"
        face={<IconDots size={16} />}
      >
        <PopupItem icon={<IconPencil size={15} />} onClick={() => setRenaming(true)}>
          Rename
        </PopupItem>
        <PopupItem
          icon={<IconCopy size={15} />}
          onClick={() => client.duplicateRun(record.run, `${record.name} (copy)`)}
        >
          Duplicate
        </PopupItem>
        <PopupItem
          icon={<IconPencil size={15} />}
          disabled={busy}
          onClick={() => {
            takeConfig(client.stores.form, record.config);
            goTo({ dialog: null, at: 'room', tab: 'recipe' });
          }}
        >
          Use its recipe
        </PopupItem>
        <PopupLine />
        <PopupItem
          danger
          icon={<IconTrash size={15} />}
          disabled={record.locked || (current && busy)}
          onClick={() => mark(client, record.run, true)}
        >
          Delete
        </PopupItem>
      </Popup>
    </li>
  );
}

function mark(client: ReturnType<typeof useClient>, run: string, leaving: boolean): void {
  client.stores.library.setState((state) => {
    const next = new Set(state.leaving);
    if (leaving) next.add(run);
    else next.delete(run);
    return { leaving: next };
  });
}

/** Deleted on the page; in storage only when the time for undoing is over, or the dialog closes. */
function Leaving({ run }: { run: string }) {
  const client = useClient();
  const name = useLibrary((state) => state.runs.find((one) => one.run === run)?.name ?? 'The run');
  const undone = useRef(false);
  useEffect(() => {
    const timer = setTimeout(() => mark(client, run, false), UNDO_MS);
    return () => {
      clearTimeout(timer);
      if (!undone.current) {
        client.deleteRun(run);
        mark(client, run, false);
      }
    };
  }, [client, run]);
  return (
    <div className="message" data-kind="quiet" role="status">
      <p>“{name}” is deleted.</p>
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          undone.current = true;
          mark(client, run, false);
        }}
      >
        Undo
      </Button>
    </div>
  );
}

function Rename({ record, done }: { record: RunRecord; done: () => void }) {
  const client = useClient();
  const [name, setName] = useState(record.name);
  const commit = (): void => {
    if (name.trim() && name !== record.name) client.renameRun(record.run, name.trim());
    done();
  };
  return (
    <TextInput
      size="xs"
      aria-label="New name"
      value={name}
      maxLength={80}
      data-autofocus
      autoFocus
      onChange={(event) => setName(event.currentTarget.value)}
      onBlur={commit}
      onKeyDown={(event) => {
        if (event.key === 'Enter') commit();
        if (event.key === 'Escape') {
          event.stopPropagation();
          done();
        }
      }}
    />
  );
}
