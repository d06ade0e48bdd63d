/** A question of the user's own for the next pair. */
import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { Voting } from '../../store/stages/votes.ts';

export function OwnQuestion({ voting }: { voting: Voting }) {
  const [question, setQuestion] = useState('');
  return (
    <form
      className="own-question"
      onSubmit={(event) => {
        event.preventDefault();
        void voting.ask(question);
        setQuestion('');
      }}
    >
      <TextInput
        className="grow"
        size="sm"
        aria-label="A question of your own"
        placeholder="Or ask a question of your own"
        maxLength={2000}
        value={question}
        onChange={(event) => setQuestion(event.currentTarget.value)}
      />
      <Button type="submit" size="sm" variant="default" disabled={question.trim() === ''}>
        Ask
      </Button>
    </form>
  );
}
