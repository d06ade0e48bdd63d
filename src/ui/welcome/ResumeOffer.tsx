/** Reload, or tomorrow: the last run goes on from the same step. */
import { Button, CloseButton } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useState } from 'react';
import { ago, count, isActive, lossText, visibleRuns } from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import '../styles/welcome.css';

/** A headless run puts no question to anybody (protocol/headless.ts). */
const headless = new URLSearchParams(location.search).has('headless');

export function ResumeOffer() {
  const client = useClient();
  const [now] = useState(() => Date.now());
  const last = useLibrary((state) =>
    visibleRuns(state).find((run) => run.resumable && run.step < run.max_iters),
  );
  const [declined, setDeclined] = useState(false);
  const busy = useRun((state) => isActive(state.phase));
  if (!last || busy || declined || headless) return null;
  return (
    <div className="resume" data-testid="resume-offer">
      <IconHistory size={20} aria-hidden />
      <p>
        <strong>{last.name}</strong> stands at step {count(last.step)} of {count(last.max_iters)}
        {last.val_loss === null ? '' : `, validation loss ${lossText(last.val_loss)}`} (
        {ago(last.updated, now)}).
        {last.locked ? ' It is open in another tab.' : ''}
      </p>
      <Button
        size="sm"
        variant="light"
        disabled={last.locked}
        onClick={() => {
          goTo({ at: 'room', tab: 'charts' });
          client.resume(last.run);
        }}
      >
        Resume
      </Button>
      <Button size="sm" variant="subtle" color="gray" onClick={() => goTo({ dialog: 'library' })}>
        All runs
      </Button>
      <CloseButton aria-label="Not now" onClick={() => setDeclined(true)} />
    </div>
  );
}
