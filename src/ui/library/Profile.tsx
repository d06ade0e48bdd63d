/** The dialog that profiles one training step by kind of kernel. */
import { Button, Modal } from '@mantine/core';
import { IconStopwatch } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { isActive, profileSentence, type ProfileState } from '../../store/index.ts';
import { useClient, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { ProfileTable } from './ProfileTable.tsx';
import './styles.ts';
import '../styles/profile.css';

export default function Profile() {
  const client = useClient();
  const state = useStore(client.stores.profile);
  const hasRun = useRun(({ run, phase }) => run !== null && (isActive(phase) || phase === 'done'));
  // Measures on opening: an empty dialog with only a button would be of no use.
  useEffect(() => {
    const { profile, running } = client.stores.profile.getState();
    if (hasRun && !profile && !running) client.profile();
  }, [client, hasRun]);
  return (
    <Modal
      opened
      onClose={() => goTo({ dialog: null })}
      title="Profile of a step"
      size={760}
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <p className="profile-lead" role="status" data-testid="profile-sentence">
        {leadOf(state, hasRun)}
      </p>
      {state.profile ? <ProfileTable profile={state.profile} /> : null}
      <div className="profile-foot">
        <Button
          size="xs"
          leftSection={<IconStopwatch size={15} />}
          loading={state.running}
          disabled={!hasRun}
          onClick={() => client.profile()}
        >
          {state.profile ? 'Measure again' : 'Measure a step'}
        </Button>
        <p className="small muted">
          The weights are restored afterwards: profiling does not change the run.
        </p>
      </div>
    </Modal>
  );
}

/** The result in a sentence, or why there is none. */
function leadOf({ running, profile, why }: ProfileState, hasRun: boolean): string {
  if (running) return 'Measuring between two steps…';
  if (profile) return profileSentence(profile);
  if (why) return why;
  return hasRun ? '' : 'There is no run to profile yet: train a model, or resume a saved run.';
}
