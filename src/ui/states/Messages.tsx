/**
 * What went wrong and what to do, in place under the bar; and notices that say what happened by
 * itself.
 */
import { Button, CloseButton } from '@mantine/core';
import {
  IconAlertTriangle,
  IconCloudOff,
  IconDatabaseOff,
  IconInfoCircle,
  IconRefresh,
} from '@tabler/icons-react';
import { errorAction } from '../acts.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { ResumeOffer } from '../welcome/ResumeOffer.tsx';
import { usePlace } from '../place.ts';
import { useOnline } from './useOnline.ts';
import '../styles/messages.css';

export function Messages() {
  return (
    <div className="messages">
      <ErrorMessage />
      <Recovering />
      <Silent />
      <StorageRefused />
      <Offline />
      <Notices />
      <OfferInRoom />
    </div>
  );
}

/**
 * The presets show the offer themselves; a page whose address went straight to the room shows it
 * here.
 */
function OfferInRoom() {
  const inRoom = usePlace((place) => place.at === 'room');
  const fresh = useRun((state) => state.run === null);
  return inRoom && fresh ? <ResumeOffer /> : null;
}

function ErrorMessage() {
  const client = useClient();
  const error = useRun((state) => state.error);
  if (!error) return null;
  const action = errorAction(client, error);
  return (
    <div
      className="message"
      data-kind="error"
      role="alert"
      data-testid="error"
      data-code={error.code}
    >
      <IconAlertTriangle size={20} aria-hidden />
      <p>
        <strong>{error.message}</strong> {error.hint}
      </p>
      {action ? (
        <Button size="xs" color="red" variant="light" onClick={action.run}>
          {action.label}
        </Button>
      ) : null}
      <CloseButton aria-label="Dismiss" onClick={() => client.dismissError()} />
    </div>
  );
}

function Recovering() {
  const shown = useRun((state) => state.phase === 'recovering');
  const detail = useRun((state) => state.detail);
  if (!shown) return null;
  return (
    <div className="message" data-kind="warn" role="status">
      <IconRefresh size={20} aria-hidden />
      <p>
        <strong>Recovering.</strong>{' '}
        {detail || 'The GPU was lost; training goes on from the last checkpoint'}.
      </p>
    </div>
  );
}

function Silent() {
  const client = useClient();
  const shown = useRun((state) => state.connection === 'silent');
  const run = useRun((state) => state.run);
  const saved = useRun((state) => state.savedStep !== null);
  if (!shown) return null;
  return (
    <div className="message" data-kind="warn" role="status">
      <IconRefresh size={20} aria-hidden />
      <p>
        <strong>The training worker does not answer.</strong> It may be taking one very long step.
        What was saved is safe if you restart it.
      </p>
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          client.restart();
          if (run && saved) client.resume(run);
        }}
      >
        {run && saved ? 'Restart it and resume' : 'Restart it'}
      </Button>
    </div>
  );
}

function StorageRefused() {
  const refused = useLibrary((state) => state.storage !== null && !state.storage.available);
  if (!refused) return null;
  return (
    <div className="message" data-kind="warn" role="status" data-testid="storage-refused">
      <IconDatabaseOff size={20} aria-hidden />
      <p>
        <strong>This window may not store anything</strong> (a private window, perhaps), so runs end
        with the tab. Export a model before you close it.
      </p>
    </div>
  );
}

function Offline() {
  const online = useOnline();
  return online ? null : (
    <div className="message" data-kind="quiet" role="status">
      <IconCloudOff size={20} aria-hidden />
      <p>No network. Training needs none; texts from an address wait until it is back.</p>
    </div>
  );
}

function Notices() {
  const client = useClient();
  const notices = useRun((state) => state.notices);
  return notices.map((notice) => (
    <div key={notice.id} className="message" data-kind="quiet" role="status">
      <IconInfoCircle size={20} aria-hidden />
      <p>{notice.message}</p>
      <CloseButton aria-label="Dismiss" onClick={() => client.dismissNotice(notice.id)} />
    </div>
  ));
}
