/** The present pair with its buttons. */
import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { askedText, type VotedAnswer, type Voting } from '../../store/stages/votes.ts';
import { useVotes } from './voting.ts';

export function AnswerPairView({ voting }: { voting: Voting }) {
  const pair = useVotes((votes) => votes.pair);
  const state = useVotes((votes) => votes.state);
  const problem = useVotes((votes) => votes.problem);
  const ready = state === 'ready';
  if (!pair)
    return problem ? (
      <p className="sample-problem" role="alert">
        {problem}
      </p>
    ) : (
      <p className="empty pair-waiting" role="status">
        {state === 'opening' ? 'Opening the model…' : 'Writing two answers…'}
      </p>
    );
  const [first, second] = pair.answers;
  return (
    <section className="vote-pair" aria-label="Two answers" data-testid="vote-pair">
      <p className="asked" role="status">
        {askedText(pair.prompt)}
      </p>
      <div className="vote-answers">
        <Candidate answer={first} label="First answer">
          <VoteButton label="This one" hotkey="1" ready={ready} onClick={() => voting.choose(0)} />
        </Candidate>
        <Candidate answer={second} label="Second answer">
          <VoteButton label="This one" hotkey="2" ready={ready} onClick={() => voting.choose(1)} />
        </Candidate>
      </div>
      <div className="vote-neither">
        <VoteButton label="Neither" hotkey="0" ready={ready} onClick={() => voting.choose(null)} />
      </div>
    </section>
  );
}

interface CandidateProps {
  answer: VotedAnswer;
  label: string;
  children: ReactNode;
}

function Candidate({ answer, label, children }: CandidateProps) {
  return (
    <article className="vote-answer" aria-label={label}>
      <p className="tokens">
        {answer.text.trim() === '' ? <span className="muted">An empty answer.</span> : answer.text}
      </p>
      {children}
    </article>
  );
}

interface ButtonProps {
  label: string;
  hotkey: string;
  ready: boolean;
  onClick: () => Promise<void>;
}

function VoteButton({ label, hotkey, ready, onClick }: ButtonProps) {
  return (
    <Button
      variant={hotkey === '0' ? 'default' : 'light'}
      aria-disabled={!ready}
      rightSection={<kbd>{hotkey}</kbd>}
      onClick={() => {
        if (ready) void onClick();
      }}
    >
      {label}
    </Button>
  );
}
