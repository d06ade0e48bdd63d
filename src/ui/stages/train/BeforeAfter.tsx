/** The same held-out prompts, answered by the parent (step 0) and by the stage as it trains. */
import type { ReactNode } from 'react';
import { compare, type Comparison, type MeanReward } from '../../../store/stages/before_after.ts';
import { count, type Sample } from '../../../store/index.ts';
import { useRun, useSamples } from '../../context.tsx';
import { TokenText } from '../../samples/TokenText.tsx';
import { useShownSamples } from '../../samples/shown.ts';
import { Troubles } from '../../states/Troubles.tsx';
import { RewardHint, Rewards, rewardText } from './Rewards.tsx';
import { rewardWords } from './reward_words.ts';
import '../../styles/samples.css';
import '../../styles/stage_run.css';

export default function BeforeAfter() {
  const all = useSamples();
  const { step, samples } = useShownSamples();
  const parent = useRun((state) => state.lineage?.parent?.name ?? 'the parent');
  const writes = useRun((state) => state.stage?.objective !== 'reward');
  const { pairs, means } = compare(all, samples);
  if (!writes) return <NoAnswers />;
  return (
    <div className="words before-after">
      <header>
        <h2>
          Before and after{' '}
          {step === null ? null : <span className="muted">at step {count(step)}</span>}
        </h2>
        <Means means={means} />
      </header>
      <Troubles of={['samples']} />
      {step === null ? (
        <p className="empty">
          The same questions, answered by “{parent}” and by this stage, will appear here.
        </p>
      ) : (
        <ol className="answer-pairs" data-testid="before-after">
          {pairs.map((pair) => (
            <Pair key={pair.prompt} pair={pair} step={step} parent={parent} />
          ))}
        </ol>
      )}
    </div>
  );
}

/** A reward model scores what others write. */
function NoAnswers() {
  return (
    <div className="words before-after">
      <header>
        <h2>Answers</h2>
      </header>
      <p className="empty">
        A reward model writes no answers. It scores those of others: below, “Inside a step” shows
        pairs of answers and what it thinks of them.
      </p>
    </div>
  );
}

/** Mean rewards of the prompts shown: "Correct 0.25 → 1". */
function Means({ means }: { means: readonly MeanReward[] }) {
  const stage = useRun((state) => state.stage);
  if (means.length === 0) return null;
  return (
    <div className="mean-rewards small">
      <ul aria-label="Mean rewards, before and after">
        {means.map(({ name, before, after }) => {
          const { label, help } = rewardWords(name, stage);
          return (
            <li key={name} title={help || undefined}>
              <span className="muted">{label}</span> {rewardText(before)} →{' '}
              <b>{rewardText(after)}</b>
            </li>
          );
        })}
      </ul>
      <RewardHint keys={means.map(({ name }) => name)} />
    </div>
  );
}

interface PairProps {
  pair: Comparison;
  step: number;
  parent: string;
}

function Pair({ pair: { prompt, before, after }, step, parent }: PairProps) {
  const isStart = step === 0;
  return (
    <li>
      <p className="asked">{prompt}</p>
      <div className="answers">
        <Answer sample={before} title={parent} />
        <Answer sample={isStart ? null : after} title={`step ${count(step)}`}>
          {isStart ? 'Not trained yet.' : null}
        </Answer>
      </div>
    </li>
  );
}

interface AnswerProps {
  sample: Sample | null;
  title: string;
  children?: ReactNode;
}

function Answer({ sample, title, children }: AnswerProps) {
  return (
    <div className="answer">
      <p className="small muted">
        {title} <Rewards rewards={sample?.rewards} />
      </p>
      {sample ? (
        <TokenText
          pieces={sample.tokens}
          label={`Answer of ${title}. Arrow keys move through its tokens.`}
        />
      ) : (
        <p className="small muted">{children ?? 'No answer was kept.'}</p>
      )}
      {sample?.tokens.length === 0 ? <p className="small muted">An empty answer.</p> : null}
    </div>
  );
}
