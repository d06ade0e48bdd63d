/** The questions and the answers of each model, token by token as they are written. */
import { useEffect, useRef } from 'react';
import { count, type RunRecord } from '../../store/index.ts';
import type { ChatAnswer, Exchange } from '../../store/stages/chat.ts';
import { useLibrary } from '../context.tsx';
import { TokenText } from '../samples/TokenText.tsx';
import { useChat } from './conversation.ts';

interface ExchangesProps {
  models: readonly RunRecord[];
}

export function Exchanges({ models }: ExchangesProps) {
  const exchanges = useChat((state) => state.exchanges);
  const list = useRef<HTMLOListElement>(null);
  const last = exchanges.length;
  // A new question goes to the top of the window, so that its answer has room below.
  useEffect(() => {
    if (last > 1) list.current?.lastElementChild?.scrollIntoView({ block: 'start' });
  }, [last]);
  if (last === 0) return <Beginning models={models} />;
  return (
    <ol ref={list} className="exchanges" data-testid="exchanges" aria-label="Conversation">
      {exchanges.map((exchange, index) => (
        <ExchangeView key={index} exchange={exchange} />
      ))}
    </ol>
  );
}

function Beginning({ models }: { models: readonly RunRecord[] }) {
  const isBase = models.some(({ lineage }) => lineage.objective === 'pretrain');
  return (
    <p className="empty">
      {isBase
        ? 'A base model continues what you type. Teach it to answer with a stage of supervised fine-tuning.'
        : 'Ask something that it was trained for. Each token shows how likely it was and what else was likely.'}
    </p>
  );
}

function ExchangeView({ exchange: { question, answers } }: { exchange: Exchange }) {
  return (
    <li>
      <p className="question">{question}</p>
      <div className="chat-answers" data-split={answers.length > 1 || undefined}>
        {answers.map((answer) => (
          <Answer key={answer.run} answer={answer} />
        ))}
      </div>
    </li>
  );
}

function Answer({ answer }: { answer: ChatAnswer }) {
  const name = useLibrary(
    ({ runs }) => runs.find(({ run }) => run === answer.run)?.name ?? 'A deleted model',
  );
  const { pieces, state, problem } = answer;
  return (
    <article className="chat-answer" aria-label={`Answer of ${name}`} aria-busy={isBusy(answer)}>
      {pieces.length > 0 ? (
        <TokenText
          pieces={pieces}
          label={`Answer of ${name}. Arrow keys move through its tokens.`}
        />
      ) : null}
      {state === 'done' && pieces.length === 0 ? <p className="muted">An empty answer.</p> : null}
      {problem ? (
        <p className="small sample-problem" role="alert">
          {problem}
        </p>
      ) : null}
      <p className="small muted" role="status">
        {name}. {statusOf(answer)}
      </p>
    </article>
  );
}

const isBusy = ({ state }: ChatAnswer): boolean => state === 'opening' || state === 'writing';

const ENDS = {
  stop: 'Ended by itself.',
  length: 'Reached the length limit.',
  cancelled: 'Stopped.',
} as const;

const tokens = (number: number, more = ''): string =>
  `${count(number)} ${more}${number === 1 ? 'token' : 'tokens'}`;

function statusOf({ state, end, pieces }: ChatAnswer): string {
  switch (state) {
    case 'opening':
      return 'Opening the model…';
    case 'writing':
      return 'Writing…';
    case 'failed':
      return '';
    case 'done': {
      const left = end ? ` Room for ${tokens(end.context_left, 'more ')} in its context.` : '';
      return `${end ? ENDS[end.reason] : ''} ${tokens(pieces.length)}.${left}`;
    }
    default:
      return state satisfies never;
  }
}
