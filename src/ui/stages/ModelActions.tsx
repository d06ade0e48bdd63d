/** What can be done with one model: chat, a new stage, and a menu with the rest. */
import { Button } from '@mantine/core';
import {
  IconArrowBackUp,
  IconChartLine,
  IconDots,
  IconDownload,
  IconMessage,
  IconPencil,
  IconPlus,
  IconThumbUp,
  IconTrash,
  IconTrendingDown,
} from '@tabler/icons-react';
import {
  count,
  hasEarlierBest,
  isActive,
  type RunRecord,
  type RunStatus,
} from '../../store/index.ts';
import { canBeParent } from '../../store/stages/tree.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { isDeletable } from '../library/RunActions.tsx';
import { goTo, goToModels } from '../place.ts';
import { Popup, PopupItem, PopupLine } from '../popup/Popup.tsx';
import { exportRun } from './export_run.ts';

interface ActionsProps {
  record: RunRecord;
  status: RunStatus;
  onRename: () => void;
  onDelete: () => void;
}

export function ModelActions(props: ActionsProps) {
  const { record } = props;
  const writes = canBeParent(record);
  return (
    <div className="model-actions">
      <Button
        size="xs"
        variant="default"
        leftSection={<IconMessage size={14} />}
        disabled={!writes}
        title={writes ? undefined : 'It cannot write text'}
        aria-label={`Chat with ${record.name}`}
        onClick={() => goToModels('chat', record.run)}
      >
        Chat
      </Button>
      <Button
        size="xs"
        variant="light"
        leftSection={<IconPlus size={14} />}
        disabled={!writes}
        title={writes ? undefined : 'No stage starts from it'}
        aria-label={`New stage from ${record.name}`}
        onClick={() => goToModels('new_stage', record.run)}
      >
        New stage
      </Button>
      <ModelMenu {...props} />
    </div>
  );
}

function ModelMenu({ record, status, onRename, onDelete }: ActionsProps) {
  const client = useClient();
  const writes = canBeParent(record);
  return (
    <Popup
      label={`More about ${record.name}`}
      kind="menu"
      width={250}
      className="square small"
      face={<IconDots size={16} />}
    >
      <OpenItems record={record} status={status} />
      <PopupItem
        icon={<IconThumbUp size={15} />}
        disabled={!writes}
        onClick={() => goToModels('votes', record.run)}
      >
        Vote on its answers
      </PopupItem>
      <OverlayItem record={record} />
      <PopupLine />
      <PopupItem icon={<IconPencil size={15} />} onClick={onRename}>
        Rename
      </PopupItem>
      <PopupItem
        icon={<IconDownload size={15} />}
        disabled={!record.resumable || status === 'elsewhere'}
        onClick={() => exportRun(client, record.run)}
      >
        Export model (zip)
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

/** Opens the model in the train view; or goes back to its best checkpoint, if it got worse since. */
function OpenItems({ record, status }: Pick<ActionsProps, 'record' | 'status'>) {
  const client = useClient();
  const busy = useRun((state) => isActive(state.phase) && state.phase !== 'paused');
  const show = (): void => goTo({ at: 'workspace', tab: 'charts', subject: null });
  const { best } = record;
  if (status === 'here')
    return (
      <PopupItem icon={<IconTrendingDown size={15} />} onClick={show}>
        Show its training
      </PopupItem>
    );
  const closed = busy || !record.resumable || status === 'elsewhere';
  return (
    <>
      <PopupItem
        icon={<IconTrendingDown size={15} />}
        disabled={closed}
        onClick={() => {
          show();
          client.resume(record.run, { paused: true });
        }}
      >
        Open its training
      </PopupItem>
      {best && hasEarlierBest(record) ? (
        <PopupItem
          icon={<IconArrowBackUp size={15} />}
          disabled={closed}
          onClick={() => {
            show();
            client.resume(record.run, { weights: 'best', paused: true });
          }}
        >
          {`Roll back to its best, step ${count(best.step)}`}
        </PopupItem>
      ) : null}
    </>
  );
}

function OverlayItem({ record }: { record: RunRecord }) {
  const client = useClient();
  const overlaid = useLibrary((state) => state.overlays.has(record.run));
  const isCurrent = useRun((state) => state.run === record.run);
  return (
    <PopupItem
      icon={<IconChartLine size={15} />}
      disabled={isCurrent}
      onClick={() => {
        if (overlaid) client.library.removeOverlays([record.run]);
        else void client.library.overlay([record.run]);
      }}
    >
      {overlaid ? 'Remove from the charts' : 'Overlay on the charts'}
    </PopupItem>
  );
}
