/** Whose contributions are refused at the moment, why, and what to do about it. */
import type { MemberRow, RoomState } from '../../store/pool/index.ts';
import { count } from '../../store/index.ts';
import { refusedOf } from './refused.ts';
import { useRoom } from './useClassroom.ts';

/** So many members are named; the table has all of them. */
const MOST_NAMED = 4;

export function Refusals() {
  const rows = useRoom((state) => state.rows);
  const own = useRoom((state) => state.id);
  const role = useRoom((state) => state.role);
  const isOver = useRoom((state) => state.phase === 'ended' || state.member === 'ended');
  const { rows: refused, isEverybody } = refusedOf(rows);
  if (isOver || refused.length === 0) return null;
  return (
    <section className="together-refused" aria-label="Refused contributions">
      {isEverybody ? <NobodyCounts role={role} /> : null}
      <ul>
        {refused.slice(0, MOST_NAMED).map((row) => (
          <Refusal key={row.member} row={row} isOwn={row.member === own} />
        ))}
      </ul>
      {refused.length > MOST_NAMED ? (
        <p>The table shows {count(refused.length - MOST_NAMED)} more.</p>
      ) : null}
      <Advice role={role} isOwn={refused.some(({ member }) => member === own)} />
    </section>
  );
}

function NobodyCounts({ role }: Pick<RoomState, 'role'>) {
  const advice =
    role === 'host'
      ? ' If this goes on, end the room, and create one with a smaller learning rate.'
      : '';
  return <p>No contribution could be used, so the round is trained again.{advice}</p>;
}

/** What is refused, and why. */
function Refusal({ row, isOwn }: { row: MemberRow; isOwn: boolean }) {
  const { name, refused_in_a_row: times, refused_why: why } = row;
  return (
    <li>
      What <strong>{isOwn ? 'this page' : name}</strong> sent was refused
      {times > 1 ? ` ${count(times)} times in a row` : ''}. {why}
    </li>
  );
}

/** What to do if a member is refused again and again. */
function Advice({ role, isOwn }: Pick<RoomState, 'role'> & { isOwn: boolean }) {
  if (role === 'host') {
    return (
      <p>If this goes on, reload the page of that laptop and join again, or remove it here.</p>
    );
  }
  return isOwn ? <p>If this goes on, reload this page and join again.</p> : null;
}
