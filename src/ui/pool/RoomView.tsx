/** The room that this page is in: the way in for others, its members, its loss, and its controls. */
import { Button } from '@mantine/core';
import { lazyPart } from '../states/Part.tsx';
import { Invite } from './Invite.tsx';
import { OfferField } from './JoinRoom.tsx';
import { MemberTable } from './MemberTable.tsx';
import { Problem } from './Problem.tsx';
import { Refusals } from './Refusals.tsx';
import { roomSentence } from './sentence.ts';
import type { RoomState } from '../../store/pool/index.ts';
import { useClassroom, useRoom } from './useClassroom.ts';

const { Lazy: RoomChart } = lazyPart(() => import('./RoomChart.tsx'));

export function RoomView() {
  const state = useRoom((room) => room);
  const isHost = state.role === 'host';
  return (
    <>
      <section className="together-room" aria-label="The room">
        <p className="together-code" data-testid="room-code">
          {state.code}
        </p>
        <p role="status" data-testid="room-sentence">
          {roomSentence(state)}
        </p>
        <Controls />
      </section>
      {isHost && (state.phase !== 'ended' || isSomebodyAway(state)) ? <Invite /> : null}
      <MemberByCode />
      <Refusals />
      <MemberTable />
      <RoomChart title="The chart" props={{}} />
    </>
  );
}

/** Whoever comes back after the end gets the model. */
const isSomebodyAway = ({ rows }: RoomState): boolean => rows.some(({ phase }) => phase === 'away');

function Controls() {
  const classroom = useClassroom();
  const role = useRoom((state) => state.role);
  const phase = useRoom((state) => state.phase);
  const ready = useRoom((state) => state.rows.some((row) => row.phase === 'ready'));
  return (
    <div className="together-actions">
      {role === 'host' && phase === 'open' ? (
        <Button size="xs" disabled={!ready} onClick={() => classroom.start()}>
          Start training
        </Button>
      ) : null}
      {role === 'host' && phase === 'paused' ? (
        <Button size="xs" onClick={() => classroom.start()}>
          Go on
        </Button>
      ) : null}
      {role === 'host' && phase === 'training' ? (
        <Button size="xs" variant="default" onClick={() => classroom.pause()}>
          Pause all
        </Button>
      ) : null}
      {role === 'host' && (phase === 'training' || phase === 'paused') ? (
        <Button size="xs" variant="default" onClick={() => classroom.end()}>
          End and hand out the model
        </Button>
      ) : null}
      <Button size="xs" variant="default" onClick={() => void classroom.leave()}>
        {role === 'host' ? 'Close the room' : 'Leave'}
      </Button>
    </div>
  );
}

const NOT_REACHED = {
  message: 'This laptop has not reached the host’s yet.',
  hint: 'If the host has taken the answer, their Wi-Fi may isolate its clients: use another network.',
};

/** What a member that joined by a code has to do to be connected, or connected again. */
function MemberByCode() {
  const classroom = useClassroom();
  const answer = useRoom((state) => state.answer);
  const needsCode = useRoom((state) => state.needsCode);
  const reached = useRoom((state) => state.reached);
  const problem = useRoom((state) => state.invitationProblem);
  const isOut = useRoom(({ member }) => member === 'connecting' || member === 'lost');
  if (!isOut) return null;
  return (
    <>
      {answer !== null && !needsCode ? <Answer answer={answer} /> : null}
      {needsCode || (answer !== null && !reached) ? (
        <section className="together-invite" aria-label="Another code">
          <Problem problem={needsCode ? problem : (problem ?? NOT_REACHED)} />
          <p>Ask the host for another code, and paste it here.</p>
          <OfferField use={(offer) => void classroom.rejoinByCode(offer)} />
        </section>
      ) : null}
    </>
  );
}

function Answer({ answer }: { answer: string }) {
  return (
    <section className="together-invite" aria-label="Your answer">
      <p>Take this answer back to the host’s page, and paste it there.</p>
      <textarea readOnly rows={4} value={answer} aria-label="Answer for the host" />
      <Button
        size="xs"
        variant="default"
        onClick={() => void navigator.clipboard.writeText(answer)}
      >
        Copy the answer
      </Button>
    </section>
  );
}
