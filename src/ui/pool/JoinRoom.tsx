/** Joins a room by its six letters, or by a code of the host's. */
import { Button, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { isRoomCode } from '../../store/pool/index.ts';
import { goToModels, usePlace } from '../place.ts';
import { MemberName, useMemberName } from './MemberName.tsx';
import { useClassroom, useRoom } from './useClassroom.ts';

export function JoinRoom() {
  const classroom = useClassroom();
  const opening = useRoom((state) => state.opening);
  const linked = usePlace((place) => place.subject);
  const [typed, setTyped] = useState<string | null>(null);
  const [name, setName] = useMemberName();
  const letters = lettersOf(typed ?? linked ?? '');
  const isCode = isRoomCode(letters);
  const wrong = typed !== null && letters.length >= 6 && !isCode;
  return (
    <form
      className="together-way"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isCode) return;
        // The address brings a page that is reloaded back to the room.
        goToModels('together', letters);
        classroom.join(letters, name.trim() || 'Member');
      }}
    >
      <h2>Join a room</h2>
      <p className="small muted">
        The host’s page shows its six letters. What you train until the end of the room is saved as
        a run of yours.
      </p>
      <TextInput
        size="xs"
        label="Letters of the room"
        className="together-letters"
        value={letters}
        autoComplete="off"
        spellCheck={false}
        error={wrong ? 'Six letters from A to Z, without I and O.' : undefined}
        onChange={({ currentTarget }) => setTyped(currentTarget.value)}
      />
      <MemberName name={name} onChange={setName} />
      <Button type="submit" disabled={!isCode || opening}>
        Join
      </Button>
      <JoinByCode name={name} />
    </form>
  );
}

/** What was typed or pasted: the letters, perhaps with spaces, or the host's link. */
const lettersOf = (text: string): string =>
  text
    .replace(/^.*#together\//u, '')
    .replace(/\s/gu, '')
    .toUpperCase()
    .slice(0, 6);

function JoinByCode({ name }: { name: string }) {
  const classroom = useClassroom();
  return (
    <details className="small">
      <summary>Join by a code, without a server</summary>
      <OfferField use={(offer) => void classroom.joinByCode(offer, name.trim() || 'Member')} />
    </details>
  );
}

/** Takes a code of the host. */
export function OfferField({ use }: { use: (offer: string) => void }) {
  const [offer, setOffer] = useState('');
  return (
    <div className="together-codes">
      <Textarea
        size="xs"
        label="Code of the host"
        rows={3}
        value={offer}
        onChange={({ currentTarget }) => setOffer(currentTarget.value)}
      />
      <Button size="xs" variant="default" disabled={offer.trim() === ''} onClick={() => use(offer)}>
        Make an answer
      </Button>
    </div>
  );
}
