/** Messages below the bar: errors with their remedy, warnings, and notices. */
import { Button, CloseButton } from '@mantine/core';
import {
  IconCloudOff,
  IconDatabaseOff,
  IconInfoCircle,
  IconRefresh,
  IconSparkles,
} from '@tabler/icons-react';
import { useStore } from 'zustand';
import { isActive, type PlainError } from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { ResumeOffer } from '../welcome/ResumeOffer.tsx';
import { usePlace } from '../place.ts';
import { ErrorBody } from './ErrorBody.tsx';
import { Troubles } from './Troubles.tsx';
import { reloadAsNewVersion, useUpdate } from './update.ts';
import { useOnline } from './useOnline.ts';
import '../styles/messages.css';

export function Messages() {
  return (
    <div className="messages">
      <ErrorMessage />
      <Troubles of={['save', 'metrics']} />
      <Recovering />
      <Unresponsive />
      <StorageRefused />
      <Offline />
      <NewVersion />
      <Notices />
      <WorkspaceResumeOffer />
    </div>
  );
}

/** Shown only in the workspace: the start screen has its own offer. */
function WorkspaceResumeOffer() {
  const inWorkspace = usePlace((place) => place.at === 'workspace');
  const hasRun = useRun((state) => state.run !== null);
  return inWorkspace && !hasRun ? <ResumeOffer /> : null;
}

function ErrorMessage() {
  const client = useClient();
  const error = useRun((state) => state.error);
  const saidByChain = useSaidByChain(error);
  if (!error || saidByChain) return null;
  return (
    <div
      className="message"
      data-kind="error"
      role="alert"
      data-testid="error"
      data-code={error.code}
    >
      <ErrorBody error={error} />
      <CloseButton aria-label="Dismiss" onClick={() => client.dismissError()} />
    </div>
  );
}

/** Whether Stages is shown, which says beside a chain why its stage failed. */
function useSaidByChain(error: PlainError | null): boolean {
  const inStages = usePlace((place) => place.at === 'stages');
  const members = useStore(useClient().stores.recipe, (recipe) => recipe.members);
  if (!inStages || !error) return false;
  return members.some(({ problem }) => problem.startsWith(error.message));
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
        {detail || 'The GPU was lost. Training continues from the last checkpoint.'}
      </p>
    </div>
  );
}

function Unresponsive() {
  const client = useClient();
  const shown = useRun((state) => state.connection === 'silent');
  const run = useRun((state) => state.run);
  const saved = useRun((state) => state.savedStep !== null);
  if (!shown) return null;
  return (
    <div className="message" data-kind="warn" role="status">
      <IconRefresh size={20} aria-hidden />
      <p>
        <strong>The training worker is not responding.</strong> It may be in one very long step. If
        you restart it, saved checkpoints are kept.
      </p>
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          const { lr_multiplier } = client.stores.run.getState();
          client.restart();
          if (run && saved) client.resume(run, { lr_multiplier });
        }}
      >
        {run && saved ? 'Restart and resume' : 'Restart'}
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
        <strong>The browser denies storage</strong> (perhaps in a private window), so runs are lost
        when you close the tab. Export the model first.
      </p>
    </div>
  );
}

function Offline() {
  const online = useOnline();
  return online ? null : (
    <div className="message" data-kind="quiet" role="status">
      <IconCloudOff size={20} aria-hidden />
      <p>You are offline. Training works without a network; fetching a text by URL does not.</p>
    </div>
  );
}

function NewVersion() {
  const client = useClient();
  const ready = useUpdate((state) => state.ready);
  const active = useRun((state) => isActive(state.phase));
  if (!ready) return null;
  return (
    <div className="message" data-kind="quiet" role="status" data-testid="new-version">
      <IconSparkles size={20} aria-hidden />
      <p>
        A new version of this page is available.
        {active ? ' The run is saved before the page reloads, and can be resumed then.' : ''}
      </p>
      <Button
        size="xs"
        variant="light"
        onClick={() => {
          void reloadAsNewVersion(client);
        }}
      >
        {active ? 'Save the run and reload' : 'Reload'}
      </Button>
      <CloseButton aria-label="Not now" onClick={() => useUpdate.setState({ ready: false })} />
    </div>
  );
}

/** What concerns a run stands beside it only: in the workspace that shows it, and in its row of Stages. */
function Notices() {
  const client = useClient();
  const notices = useRun((state) => state.notices);
  const current = useRun((state) => state.run);
  const shown = usePlace((place) => (place.at === 'workspace' ? current : null));
  return notices
    .filter(({ run = shown }) => run === shown)
    .map((notice) => (
      <div key={notice.id} className="message" data-kind="quiet" role="status">
        <IconInfoCircle size={20} aria-hidden />
        <p>{notice.message}</p>
        <CloseButton aria-label="Dismiss" onClick={() => client.dismissNotice(notice.id)} />
      </div>
    ));
}
