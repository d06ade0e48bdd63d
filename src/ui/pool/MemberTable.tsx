/** Who is in the room: share of the text, speed, contributions, and what was refused. */
import { Button } from '@mantine/core';
import type { MemberPhase, MemberRow } from '../../store/pool/index.ts';
import { count } from '../../store/index.ts';
import { useClassroom, useRoom } from './useClassroom.ts';

const PHASES: Record<MemberPhase, string> = {
  joining: 'preparing',
  ready: 'ready',
  training: 'training',
  delivered: 'has delivered',
  silent: 'sleeps',
  away: 'away',
  removed: 'removed',
};

export function MemberTable() {
  const rows = useRoom((state) => state.rows);
  const own = useRoom((state) => state.id);
  const isHost = useRoom((state) => state.role === 'host');
  if (rows.length === 0) return null;
  return (
    <section className="together-members" aria-label="Members">
      <table data-testid="members">
        <caption>
          <h2>Members</h2>
        </caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">State</th>
            <th scope="col">Share of the text</th>
            <th scope="col">Steps of the round</th>
            <th scope="col">Steps a second</th>
            <th scope="col">Rounds contributed</th>
            <th scope="col">Too late</th>
            <th scope="col">Refused</th>
            {isHost ? <th scope="col">Host</th> : null}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.member} row={row} isOwn={row.member === own} isHost={isHost} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface RowProps {
  row: MemberRow;
  isOwn: boolean;
  isHost: boolean;
}

function Row({ row, isOwn, isHost }: RowProps) {
  const classroom = useClassroom();
  const { member, name, phase, shard, steps, done, rate, contributed, late, refused } = row;
  return (
    <tr data-phase={phase}>
      <th scope="row">
        {name} {isOwn ? <span className="muted">(this page)</span> : null}
      </th>
      <td>
        {PHASES[phase]}
        {phase === 'silent' ? ` for ${row.silent_seconds} s` : ''}
      </td>
      <td>{shard ? `${shard.index + 1} of ${shard.count}` : '–'}</td>
      <td>{shard ? `${done} of ${steps}` : '–'}</td>
      <td>{rate > 0 ? rate.toPrecision(3) : '–'}</td>
      <td>{count(contributed)}</td>
      <td>{count(late)}</td>
      <td>
        {count(refused)}
        {refused > 0 ? <span className="together-why">{row.refused_why}</span> : null}
      </td>
      {isHost ? (
        <td>
          {isOwn || phase === 'removed' ? null : (
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Remove ${name}`}
              onClick={() => classroom.remove(member)}
            >
              Remove
            </Button>
          )}
        </td>
      ) : null}
    </tr>
  );
}
