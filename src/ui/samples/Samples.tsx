/** What the model writes: newest first, or as it wrote at any earlier step. */
import { useState } from 'react';
import {
  count,
  novelShare,
  percent,
  sampleSteps,
  writtenSamples,
  type Sample,
} from '../../store/index.ts';
import { useSamples } from '../context.tsx';
import { Generate } from './Generate.tsx';
import { TokenText } from './TokenText.tsx';
import '../styles/samples.css';

const SHOWN = 24;

export function Samples() {
  const samples = useSamples();
  const steps = sampleSteps(samples);
  /** Index into the steps, or null for the newest. */
  const [chosen, setChosen] = useState<number | null>(null);
  const past = chosen === null ? null : (steps[Math.min(chosen, steps.length - 1)] ?? null);
  const shown =
    past === null
      ? samples.slice(-SHOWN).reverse()
      : samples.filter((sample) => sample.step === past);
  const share = novelShare(samples);
  const written = writtenSamples(samples).length;
  return (
    <>
      <div className="panel-head">
        <h2>What it writes</h2>
        <Legend />
      </div>
      <Generate />
      <div className="time-machine">
        <label className="small muted" htmlFor="time-machine">
          {past === null
            ? 'Newest first; slide back through the training'
            : `As it wrote at step ${count(past)}`}
        </label>
        <input
          id="time-machine"
          type="range"
          min={0}
          max={Math.max(1, steps.length - 1)}
          disabled={steps.length < 2}
          value={chosen ?? Math.max(1, steps.length - 1)}
          aria-valuetext={`step ${count(past ?? steps.at(-1) ?? 0)}`}
          onChange={(event) => {
            const index = event.currentTarget.valueAsNumber;
            setChosen(index >= steps.length - 1 ? null : index);
          }}
        />
      </div>
      {shown.length === 0 ? (
        <p className="empty">Samples come here as training goes on: babble first, then words.</p>
      ) : (
        <ol className="samples" data-testid="samples">
          {shown.map((sample) => (
            <SampleItem key={`${sample.step}-${sample.prompt}`} sample={sample} />
          ))}
        </ol>
      )}
      {Number.isFinite(share) && written > 2 ? (
        <p className="small muted samples-foot">
          {percent(share)} of {count(written)} samples do not stand word for word in the training
          text.
        </p>
      ) : null}
    </>
  );
}

function SampleItem({ sample }: { sample: Sample }) {
  return (
    <li className="sample">
      <div className="sample-head">
        <span>step {count(sample.step)}</span>
        {sample.memorized ? (
          <span className="memorized" title="Stands word for word in the training text">
            in the text
          </span>
        ) : null}
      </div>
      {sample.problem === undefined ? (
        <TokenText
          pieces={sample.tokens}
          prompt={sample.prompt}
          label={`Sample of step ${sample.step}. Arrow keys walk through its tokens.`}
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
    </li>
  );
}

function Legend() {
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
