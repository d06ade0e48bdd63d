/** Who is in the room: share of the text, speed, contributions, and what was refused. */
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import type { MemberPhase, MemberRow } from '../../store/pool/index.ts';
import { count } from '../../store/index.ts';
import { CutName } from '../CutName.tsx';
import { useClassroom, useRoom } from './useClassroom.ts';

const PHASES: Record<MemberPhase, string> = {
  joining: 'preparing',
  ready: 'ready',
  training: 'training',
  delivered: 'delivered',
  silent: 'sleeps',
  away: 'away',
  removed: 'removed',
};

/** Titles of the columns, and what they are called on a narrow page. */
const COLUMNS = {
  state: { title: 'State', short: 'State' },
  share: { title: 'Share of the text', short: 'Share of text' },
  steps: { title: 'Steps of the round', short: 'Steps' },
  rate: { title: 'Steps a second', short: 'Steps a second' },
  contributed: { title: 'Rounds contributed', short: 'Contributed' },
  late: { title: 'Too late', short: 'Too late' },
  refused: { title: 'Refused', short: 'Refused' },
};

export function MemberTable() {
  const rows = useRoom((state) => state.rows);
  const own = useRoom((state) => state.id);
  const isHost = useRoom((state) => state.role === 'host');
  if (rows.length === 0) return null;
  return (
    <section className="together-members" aria-label="Members">
      <h2 id="together-members">Members</h2>
      <p className="small muted">{phaseCounts(rows)}</p>
      {/* The narrow style makes cards of the rows, which takes their roles from some browsers. */}
      <table data-testid="members" role="table" aria-labelledby="together-members">
        <thead role="rowgroup">
          <tr role="row">
            <th scope="col">Name</th>
            {Object.values(COLUMNS).map(({ title }) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
            {isHost ? <th scope="col">Host</th> : null}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <Row key={row.member} row={row} isOwn={row.member === own} isHost={isHost} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** How many members are in each state, in the order of the states: "30: 27 training, 3 away". */
function phaseCounts(rows: readonly MemberRow[]): string {
  const phases = Object.entries(PHASES).flatMap(([phase, title]) => {
    const some = rows.filter((row) => row.phase === phase).length;
    return some > 0 ? [`${count(some)} ${title}`] : [];
  });
  return `${count(rows.length)}: ${phases.join(', ')}`;
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
    <tr data-phase={phase} role="row">
      <th scope="row" role="rowheader">
        <CutName name={name} /> {isOwn ? <span className="muted">(this page)</span> : null}
      </th>
      <Cell of="state">
        {PHASES[phase]}
        {phase === 'silent' ? ` for ${row.silent_seconds} s` : ''}
      </Cell>
      <Cell of="share">{shard ? `${shard.index + 1} of ${shard.count}` : '–'}</Cell>
      <Cell of="steps">{shard ? `${done} of ${steps}` : '–'}</Cell>
      <Cell of="rate">{rate > 0 ? rate.toPrecision(3) : '–'}</Cell>
      <Cell of="contributed">{count(contributed)}</Cell>
      <Cell of="late">{count(late)}</Cell>
      <Cell of="refused" isNone={refused === 0}>
        {count(refused)}
        {refused > 0 ? <span className="together-why">{row.refused_why}</span> : null}
      </Cell>
      {isHost ? (
        <td role="cell" className="together-remove">
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

interface CellProps {
  of: keyof typeof COLUMNS;
  /** There is nothing to say, for which a narrow page has no space. */
  isNone?: boolean;
  children: ReactNode;
}

function Cell({ of, isNone = false, children }: CellProps) {
  return (
    <td role="cell" data-column={of} data-label={COLUMNS[of].short} data-none={isNone || undefined}>
      {children}
    </td>
  );
}
