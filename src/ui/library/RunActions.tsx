/** What can be done with one saved run: resume, overlay, and a menu. */
import { ActionIcon, Button } from '@mantine/core';
import {
  IconChartLine,
  IconCopy,
  IconDots,
  IconPencil,
  IconPlayerPlay,
  IconTrash,
} from '@tabler/icons-react';
import {
  count,
  earnsRewards,
  hasEarlierBest,
  isActive,
  takeConfig,
  type RunRecord,
  type RunStatus,
} from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { Popup, PopupItem, PopupLine } from '../popup/Popup.tsx';

interface RunProps {
  record: RunRecord;
  status: RunStatus;
}

interface RunActionsProps extends RunProps {
  onRename: () => void;
  onDelete: () => void;
}

export function RunActions({ record, status, onRename, onDelete }: RunActionsProps) {
  return (
    <>
      <OpenButton record={record} status={status} />
      <OverlayButton record={record} />
      <RunMenu record={record} status={status} onRename={onRename} onDelete={onDelete} />
      <ResumeBestButton record={record} status={status} />
    </>
  );
}

/** Resumes a run, opens one that is done, or starts one again that was never saved. */
function OpenButton({ record, status }: RunProps) {
  const client = useClient();
  const busy = useRun((state) => isActive(state.phase));
  if (status === 'here') return null;
  const show = (): void => goTo({ dialog: null, at: 'workspace', tab: 'charts' });
  if (status === 'not_saved')
    return (
      <Button
        size="xs"
        variant="light"
        disabled={busy}
        onClick={() => {
          show();
          client.startAgain(record);
        }}
      >
        Start again
      </Button>
    );
  const isDone = record.step >= record.max_iters;
  return (
    <Button
      size="xs"
      variant="light"
      disabled={busy || status === 'elsewhere'}
      onClick={() => {
        show();
        client.resume(record.run, { paused: isDone });
      }}
    >
      {isDone ? 'Open' : 'Resume'}
    </Button>
  );
}

/** Continues from the checkpoint with the best evaluation, if the run went on after it. */
function ResumeBestButton({ record, status }: RunProps) {
  const client = useClient();
  const busy = useRun((state) => isActive(state.phase));
  const { best } = record;
  if (status === 'here' || !best || !hasEarlierBest(record)) return null;
  return (
    <Button
      size="xs"
      variant="default"
      title={`Continues from step ${count(best.step)}, where the ${bestOf(record)}`}
      disabled={busy || status === 'elsewhere'}
      onClick={() => {
        goTo({ dialog: null, at: 'workspace', tab: 'charts' });
        client.resume(record.run, { weights: 'best' });
      }}
    >
      Resume from the best
    </Button>
  );
}

const bestOf = ({ lineage }: RunRecord): string =>
  earnsRewards(lineage.objective) ? 'held-out reward was highest' : 'validation loss was lowest';

function OverlayButton({ record }: { record: RunRecord }) {
  const client = useClient();
  const current = useRun((state) => state.run === record.run);
  const overlaid = useLibrary((state) => state.overlays.has(record.run));
  return (
    <ActionIcon
      variant={overlaid ? 'filled' : 'default'}
      size={30}
      title="Overlay on the charts"
      aria-label={`Overlay ${record.name} on the charts`}
      aria-pressed={overlaid}
      disabled={current}
      onClick={() => {
        if (overlaid) client.library.removeOverlays([record.run]);
        else void client.library.overlay([record.run]);
      }}
    >
      <IconChartLine size={16} />
    </ActionIcon>
  );
}

function RunMenu({ record, status, onRename, onDelete }: RunActionsProps) {
  const client = useClient();
  const busy = useRun((state) => isActive(state.phase));
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
        onClick={() => client.library.duplicate(record.run, `${record.name} (copy)`)}
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
        disabled={busy || !record.resumable || status === 'elsewhere'}
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
        disabled={!isDeletable(status)}
        onClick={onDelete}
      >
        Delete
      </PopupItem>
    </Popup>
  );
}

/** A run that is open, here or in another tab, cannot be deleted. */
export const isDeletable = (status: RunStatus): boolean =>
  status !== 'here' && status !== 'elsewhere';
