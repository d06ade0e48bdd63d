/** The name that the others see. A made-up one is offered, so that nobody has to give theirs. */
import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';

const LONGEST = 40;

/** A name and a function that changes it; empty until the words for it have arrived. */
export function useMemberName(): [string, (name: string) => void] {
  const [name, setName] = useState('');
  useEffect(() => {
    let wanted = true;
    void drawName().then((drawn) => {
      if (wanted) setName((typed) => typed || drawn);
    });
    return () => {
      wanted = false;
    };
  }, []);
  return [name, setName];
}

async function drawName(): Promise<string> {
  const { adjectives, animals, uniqueNamesGenerator } = await import('unique-names-generator');
  const dictionaries = [adjectives, animals];
  return uniqueNamesGenerator({ dictionaries, separator: ' ', style: 'capital' }).slice(0, LONGEST);
}

interface MemberNameProps {
  name: string;
  onChange: (name: string) => void;
}

export function MemberName({ name, onChange }: MemberNameProps) {
  return (
    <TextInput
      size="xs"
      label="Your name in the room"
      value={name}
      maxLength={LONGEST}
      onChange={({ currentTarget }) => onChange(currentTarget.value)}
    />
  );
}
