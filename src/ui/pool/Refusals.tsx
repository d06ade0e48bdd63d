/** Whose contributions are refused at the moment, why, and what to do about it. */
import type { MemberRow, RoomState } from '../../store/pool/index.ts';
import { count } from '../../store/index.ts';
import { useRoom } from './useClassroom.ts';

/** So many members are named; the table has all of them. */
const MOST_NAMED = 4;

const GONE = new Set(['away', 'removed', 'silent']);

export function Refusals() {
  const rows = useRoom((state) => state.rows);
  const own = useRoom((state) => state.id);
  const role = useRoom((state) => state.role);
  const isOver = useRoom((state) => state.phase === 'ended' || state.member === 'ended');
  const refused = rows.filter(({ refused_in_a_row: some, phase }) => some > 0 && !GONE.has(phase));
  if (isOver || refused.length === 0) return null;
  const present = rows.filter(({ phase }) => !GONE.has(phase) && phase !== 'joining');
  return (
    <section className="together-refused" aria-label="Refused contributions">
      {refused.length === present.length ? <NobodyCounts role={role} /> : null}
      <ul>
        {refused.slice(0, MOST_NAMED).map((row) => (
          <li key={row.member}>{refusalOf(row, { isOwn: row.member === own, role })}</li>
        ))}
      </ul>
      {refused.length > MOST_NAMED ? (
        <p>The table shows {count(refused.length - MOST_NAMED)} more.</p>
      ) : null}
    </section>
  );
}

function NobodyCounts({ role }: Pick<RoomState, 'role'>) {
  const repeated = 'No contribution could be used, so the round is trained again.';
  const advice =
    role === 'host'
      ? ' If this goes on, end the room, and create one with a smaller learning rate.'
      : '';
  return <p>{repeated + advice}</p>;
}

interface Viewer extends Pick<RoomState, 'role'> {
  isOwn: boolean;
}

/** One sentence on what is refused and why, and one on what to do. */
function refusalOf(row: MemberRow, { isOwn, role }: Viewer) {
  const { name, refused_in_a_row: times, refused_why: why } = row;
  const often = times === 1 ? 'was refused' : `was refused ${count(times)} times in a row`;
  return (
    <>
      What <strong>{isOwn ? 'this page' : name}</strong> sent {often}: {why}{' '}
      {adviceFor(isOwn, role)}
    </>
  );
}

function adviceFor(isOwn: boolean, role: RoomState['role']): string {
  if (isOwn && role === 'host')
    return 'If this goes on, reload this page, and open the room again.';
  if (isOwn) return 'If this goes on, reload this page, and join again.';
  if (role === 'host') return 'If this goes on, reload that laptop’s page, or remove it here.';
  return '';
}
