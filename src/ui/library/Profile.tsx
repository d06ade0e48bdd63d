/** Where the GPU time of one training step goes, kind by kind. */
import { Button, Modal } from '@mantine/core';
import { IconStopwatch } from '@tabler/icons-react';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import {
  count,
  isActive,
  measure,
  profileRows,
  profileSentence,
  type StepProfile,
} from '../../store/index.ts';
import { useClient, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import './styles.ts';
import '../styles/profile.css';

export default function Profile() {
  const client = useClient();
  const { running, profile, why } = useStore(client.stores.profile);
  const there = useRun((run) => run.run !== null && (isActive(run.phase) || run.phase === 'done'));
  // Asked for once by opening: a button alone would be a dialog with nothing in it.
  useEffect(() => {
    const { stores } = client;
    if (there && !stores.profile.getState().profile && !stores.profile.getState().running)
      client.profile();
  }, [client, there]);
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
        {running
          ? 'Measuring between two steps…'
          : profile
            ? profileSentence(profile)
            : why ||
              (there ? '' : 'There is no run to measure yet: train one, or resume a saved one.')}
      </p>
      {profile ? <Measured profile={profile} /> : null}
      <div className="profile-foot">
        <Button
          size="xs"
          leftSection={<IconStopwatch size={15} />}
          loading={running}
          disabled={!there}
          onClick={() => client.profile()}
        >
          {profile ? 'Measure again' : 'Measure a step'}
        </Button>
        <p className="small muted">
          The weights are set back afterwards: the run goes on as if it had not been measured.
        </p>
      </div>
    </Modal>
  );
}

function Measured({ profile }: { profile: StepProfile }) {
  const rows = profileRows(profile);
  const widest = Math.max(...rows.map((row) => row.share));
  if (rows.length === 0)
    return (
      <p className="muted">
        This device tells no times of its own, so only the whole step could be measured, by the
        clock on the wall.
      </p>
    );
  return (
    <>
      <table className="profile-table" data-testid="profile">
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col">µs</th>
            <th scope="col">Share</th>
            <th scope="col">Dispatches</th>
            <th scope="col">Rate</th>
            <th scope="col">Of peak</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.kind}>
              <th scope="row">
                {row.title}
                <span className="profile-bar" aria-hidden>
                  <i style={{ width: `${(100 * row.share) / widest}%` }} />
                </span>
              </th>
              <td>{row.micros}</td>
              <td>{(100 * row.share).toFixed(0)}%</td>
              <td>{row.dispatches}</td>
              <td>{row.rate}</td>
              <td>{row.of_peak}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <details className="profile-kernels">
        <summary>The kernels that take longest</summary>
        <ul>
          {profile.kernels.map((one) => (
            <li key={one.kernel}>
              <code>{one.kernel}</code>
              <span>
                {count(1000 * one.ms)} µs in {count(one.dispatches)}{' '}
                {one.dispatches === 1 ? 'dispatch' : 'dispatches'}
              </span>
            </li>
          ))}
        </ul>
      </details>
      <p className="small muted">
        Measured after step {count(profile.step)}, each dispatch by itself, which makes the sum{' '}
        {measure(profile.kinds?.reduce((sum, one) => sum + one.ms, 0) ?? NaN)} ms differ from the
        step as a whole. Browsers round these times, so small shares are rough.
      </p>
    </>
  );
}
