/** A room that this browser was the host of, and whose page was closed: it can be opened again. */
import { Button } from '@mantine/core';
import { useClassroom, useRoom } from './useClassroom.ts';

export function LeftRoom() {
  const classroom = useClassroom();
  const left = useRoom((state) => state.left);
  const opening = useRoom((state) => state.opening);
  if (!left) return null;
  return (
    <section className="together-left" aria-label="Your room">
      <p>
        The room <strong>{left.code}</strong> was open in this browser. Its members wait for it.
      </p>
      <div className="together-actions">
        <Button size="xs" loading={opening} onClick={() => void classroom.reopen('Host')}>
          Open it again
        </Button>
        <Button size="xs" variant="default" onClick={() => classroom.forget()}>
          Give it up
        </Button>
      </div>
    </section>
  );
}
