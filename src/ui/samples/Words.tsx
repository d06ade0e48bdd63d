/** What the model writes at one step, at reading size, and a form to try a prompt. */
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { count, writtenSamples, type Sample } from '../../store/index.ts';
import { useSamples } from '../context.tsx';
import { Troubles } from '../states/Troubles.tsx';
import { Generate } from './Generate.tsx';
import { useShownSamples } from './shown.ts';
import { TokenText } from './TokenText.tsx';
import '../styles/samples.css';

export function Words() {
  const { step, samples } = useShownSamples();
  return (
    <div className="words">
      <header>
        <h2>
          What it writes{' '}
          {step === null ? null : <span className="muted">at step {count(step)}</span>}
        </h2>
        <TintLegend />
      </header>
      <Troubles of={['samples']} />
      {step === null ? (
        <p className="empty">
          Samples will appear here during training: gibberish first, then words.
        </p>
      ) : (
        <Clamp>
          <ol className="samples" data-testid="samples">
            {samples.map((sample) => (
              <SampleItem key={sample.prompt} sample={sample} />
            ))}
          </ol>
          <CopiedCount />
        </Clamp>
      )}
      <Earlier before={step} />
      <Generate />
    </div>
  );
}

/** Earlier steps that are listed at most. */
const MAX_EARLIER = 10;

/** In the room that is left: one line of each of the steps before, so that one sees it learn. */
function Earlier({ before }: { before: number | null }) {
  const samples = useSamples();
  const earlier = samples.filter(
    ({ step, problem }, index) =>
      before !== null &&
      step < before &&
      problem === undefined &&
      samples[index - 1]?.step !== step,
  );
  return (
    <ol className="earlier-samples" aria-label="Earlier steps">
      {earlier
        .slice(-MAX_EARLIER)
        .reverse()
        .map(({ step, prompt, tokens }) => (
          <li key={step}>
            <span className="small muted">step {count(step)}</span>
            <span>{oneLine(prompt + tokens.map(({ text }) => text).join(''))}</span>
          </li>
        ))}
    </ol>
  );
}

const oneLine = (text: string): string => text.trim().replaceAll(/\s+/gu, ' ');

/** Cuts content that is higher than the card, with a button that shows all of it. */
function Clamp({ children }: { children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [overflows, setOverflows] = useState(false);
  const [expanded, setExpanded] = useState(false);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      const [outer, inner] = [box.current?.clientHeight ?? 0, content.current?.offsetHeight ?? 0];
      setOverflows(inner > outer + 1);
    });
    for (const element of [box.current, content.current]) if (element) observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return (
    <>
      <div ref={box} className="clamp" data-expanded={expanded || undefined}>
        <div ref={content}>{children}</div>
      </div>
      {overflows || expanded ? (
        <button type="button" className="link clamp-toggle" onClick={() => setExpanded(!expanded)}>
          {expanded ? 'Show less' : 'Show all'}
        </button>
      ) : null}
    </>
  );
}

function SampleItem({ sample }: { sample: Sample }) {
  return (
    <li className="sample">
      {sample.problem === undefined ? (
        <TokenText
          pieces={sample.tokens}
          prompt={sample.prompt}
          label={`Sample of step ${sample.step}. Arrow keys move through its tokens.`}
        />
      ) : (
        <>
          <p className="tokens">
            <span className="prompt">{sample.prompt}</span>
          </p>
          <p className="small sample-problem" data-testid="sample-problem">
            {sample.problem}
          </p>
        </>
      )}
      {sample.memorized ? (
        <span className="memorized" title="Occurs verbatim in the training text">
          copied
        </span>
      ) : null}
    </li>
  );
}

/** Fewer samples say little about memorization. */
const MIN_COUNTED = 3;

function CopiedCount() {
  const written = writtenSamples(useSamples());
  if (written.length < MIN_COUNTED) return null;
  const copied = written.filter((sample) => sample.memorized).length;
  return (
    <p className="small muted samples-foot">
      {copiedText(copied, written.length)} copied from the training text.
    </p>
  );
}

/** "None of the 9 samples is", "2 of the 9 samples are". */
function copiedText(copied: number, total: number): string {
  const number = copied === 0 ? 'None' : count(copied);
  return `${number} of the ${count(total)} samples ${copied > 1 ? 'are' : 'is'}`;
}

function TintLegend() {
  return (
    <span className="tint-legend small muted" aria-label="Tint: from expected to surprising tokens">
      expected{' '}
      {[0, 1, 2, 3, 4, 5].map((tint) => (
        <i key={tint} data-tint={tint} />
      ))}{' '}
      surprising
    </span>
  );
}
