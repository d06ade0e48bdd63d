/** The room that this page is in: the way in for others, its members, its loss, and its controls. */
import { Button } from '@mantine/core';
import { lazyPart } from '../states/Part.tsx';
import { Invite } from './Invite.tsx';
import { MemberTable } from './MemberTable.tsx';
import { roomSentence } from './sentence.ts';
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
      {isHost && state.phase !== 'ended' ? <Invite /> : null}
      {state.answer !== null && state.member === 'connecting' ? (
        <Answer answer={state.answer} />
      ) : null}
      <MemberTable />
      <RoomChart title="The chart" props={{}} />
    </>
  );
}

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
