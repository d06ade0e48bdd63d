/** One saved run in the library: its state, and buttons to resume, overlay, rename and delete it. */
import { ActionIcon, Button, TextInput } from '@mantine/core';
import {
  IconChartLine,
  IconCopy,
  IconDots,
  IconPencil,
  IconPlayerPlay,
  IconTrash,
} from '@tabler/icons-react';
import { useState } from 'react';
import {
  ago,
  bytes,
  compact,
  count,
  isActive,
  lossText,
  takeConfig,
  type RunRecord,
} from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { Popup, PopupItem, PopupLine } from '../popup/Popup.tsx';
import { setDeleted } from './DeletedRun.tsx';

interface RecordProps {
  record: RunRecord;
}

export function RunItem({ record }: RecordProps) {
  const [renaming, setRenaming] = useState(false);
  return (
    <li className="run" data-testid={`run-${record.run}`}>
      <div className="run-text">
        {renaming ? (
          <Rename record={record} onDone={() => setRenaming(false)} />
        ) : (
          <b>{record.name}</b>
        )}
        <RunFacts record={record} />
        <ParentLine record={record} />
      </div>
      <ResumeButton record={record} />
      <OverlayButton record={record} />
      <RunMenu record={record} onRename={() => setRenaming(true)} />
    </li>
  );
}

function RunFacts({ record }: RecordProps) {
  const [now] = useState(() => Date.now());
  const current = useRun((state) => state.run === record.run);
  const facts = [`Step ${count(record.step)} of ${count(record.max_iters)}`];
  if (record.val_loss !== null) facts.push(`validation loss ${lossText(record.val_loss)}`);
  facts.push(
    `${compact(record.n_params)} parameters`,
    bytes(record.bytes),
    ago(record.updated, now),
  );
  if (record.locked && !current) facts.push('open in another tab');
  if (!record.resumable) facts.push('checkpoint unreadable');
  return <p className="small muted">{facts.join(' · ')}</p>;
}

/** Where the initial weights came from, if they were not random. */
function ParentLine({ record }: RecordProps) {
  const { parent } = record.lineage;
  if (!parent) return null;
  const step = parent.kind === 'run' ? `, step ${count(parent.step)}` : '';
  return <p className="small muted">{`from ${parent.name}${step}`}</p>;
}

function ResumeButton({ record }: RecordProps) {
  const client = useClient();
  const busy = useRun((state) => isActive(state.phase));
  const current = useRun((state) => state.run === record.run);
  if (current && busy) return <span className="mark">open here</span>;
  const finished = record.step >= record.max_iters;
  return (
    <Button
      size="xs"
      variant="light"
      disabled={busy || record.locked || !record.resumable}
      onClick={() => {
        goTo({ dialog: null, at: 'workspace', tab: 'charts' });
        client.resume(record.run, { paused: finished });
      }}
    >
      {finished ? 'Open' : 'Resume'}
    </Button>
  );
}

function OverlayButton({ record }: RecordProps) {
  const client = useClient();
  const current = useRun((state) => state.run === record.run);
  const overlaid = useLibrary((state) => state.overlays.has(record.run));
  const toggle = (): void => {
    if (!overlaid) {
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
    <ActionIcon
      variant={overlaid ? 'filled' : 'default'}
      size={30}
      title="Overlay on the charts"
      aria-label={`Overlay ${record.name} on the charts`}
      aria-pressed={overlaid}
      disabled={current}
      onClick={toggle}
    >
      <IconChartLine size={16} />
    </ActionIcon>
  );
}

function RunMenu({ record, onRename }: RecordProps & { onRename: () => void }) {
  const client = useClient();
  const busy = useRun((state) => isActive(state.phase));
  const current = useRun((state) => state.run === record.run);
  return (
    <Popup
      label={`More about ${record.name}`}
      kind="menu"
      width={230}
      className="square small"
      face={<IconDots size={16} />}
    >
      <PopupItem icon={<IconPencil size={15} />} onClick={onRename}>
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
          goTo({ dialog: null, at: 'workspace', tab: 'recipe' });
        }}
      >
        Use its recipe
      </PopupItem>
      <PopupItem
        icon={<IconPlayerPlay size={15} />}
        disabled={busy || !record.resumable || (record.locked && !current)}
        onClick={() => {
          goTo({ dialog: null, at: 'workspace', tab: 'charts' });
          client.startFrom(record.run);
        }}
      >
        New run from these weights
      </PopupItem>
      <PopupLine />
      <PopupItem
        danger
        icon={<IconTrash size={15} />}
        disabled={record.locked || (current && busy)}
        onClick={() => setDeleted(client, record.run, true)}
      >
        Delete
      </PopupItem>
    </Popup>
  );
}

function Rename({ record, onDone }: RecordProps & { onDone: () => void }) {
  const client = useClient();
  const [name, setName] = useState(record.name);
  const commit = (): void => {
    if (name.trim() && name !== record.name) client.renameRun(record.run, name.trim());
    onDone();
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
          // The dialog would close as well.
          event.stopPropagation();
          onDone();
        }
      }}
    />
  );
}
