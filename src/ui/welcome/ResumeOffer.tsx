/** Offers to resume the most recent unfinished run. */
import { Button, CloseButton } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useState } from 'react';
import {
  ago,
  count,
  isActive,
  lossText,
  type RunRecord,
  validationLoss,
} from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import '../styles/welcome.css';

/** In headless mode nobody can answer (protocol/headless.ts). */
const headless = new URLSearchParams(location.search).has('headless');

export function ResumeOffer() {
  const client = useClient();
  const latest = useLibrary((state) =>
    state.runs.find((run) => run.resumable && run.step < run.max_iters),
  );
  const [dismissed, setDismissed] = useState(false);
  const busy = useRun((state) => isActive(state.phase));
  if (!latest || busy || dismissed || headless) return null;
  return (
    <div className="resume" data-testid="resume-offer">
      <IconHistory size={20} aria-hidden />
      <RunStatus run={latest} />
      <Button
        size="sm"
        variant="light"
        disabled={latest.locked}
        onClick={() => {
          goTo({ at: 'workspace', tab: 'charts' });
          client.resume(latest.run);
        }}
      >
        Resume
      </Button>
      <Button size="sm" variant="subtle" color="gray" onClick={() => goTo({ dialog: 'library' })}>
        All runs
      </Button>
      <CloseButton aria-label="Not now" onClick={() => setDismissed(true)} />
    </div>
  );
}

function RunStatus({ run }: { run: RunRecord }) {
  const [now] = useState(() => Date.now());
  const best = validationLoss(run);
  const loss = best === null ? '' : `, validation loss ${lossText(best)}`;
  return (
    <p>
      <strong>{run.name}</strong> was paused at step {count(run.step)} of {count(run.max_iters)}
      {loss} ({ago(run.updated, now)}).
      {run.locked ? ' It is open in another tab.' : ''}
    </p>
  );
}
