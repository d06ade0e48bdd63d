/** The samples of the run: the newest, or those of an earlier step. */
import { useState } from 'react';
import { count, sampleSteps, writtenSamples, type Sample } from '../../store/index.ts';
import { useSamples } from '../context.tsx';
import { Generate } from './Generate.tsx';
import { TokenText } from './TokenText.tsx';
import '../styles/samples.css';

/** Newest samples shown at most. */
const MAX_NEWEST = 24;

export function Samples() {
  const samples = useSamples();
  const steps = sampleSteps(samples);
  /** Index into the steps, or null for the newest samples. */
  const [selected, setSelected] = useState<number | null>(null);
  const step = selected === null ? null : (steps[Math.min(selected, steps.length - 1)] ?? null);
  const shown =
    step === null
      ? samples.slice(-MAX_NEWEST).reverse()
      : samples.filter((sample) => sample.step === step);
  return (
    <>
      <div className="panel-head">
        <h2>What it writes</h2>
        <TintLegend />
      </div>
      <Generate />
      <StepSlider steps={steps} selected={selected} onSelect={setSelected} />
      {shown.length === 0 ? (
        <p className="empty">
          Samples will appear here during training: gibberish first, then words.
        </p>
      ) : (
        <ol className="samples" data-testid="samples">
          {shown.map((sample) => (
            <SampleItem key={`${sample.step}-${sample.prompt}`} sample={sample} />
          ))}
        </ol>
      )}
      <CopiedCount samples={samples} />
    </>
  );
}

interface SliderProps {
  /** Steps that have samples, ascending. */
  steps: readonly number[];
  /** Index into the steps, or null for the newest. */
  selected: number | null;
  onSelect: (index: number | null) => void;
}

function StepSlider({ steps, selected, onSelect }: SliderProps) {
  const last = Math.max(1, steps.length - 1);
  const step = steps[Math.min(selected ?? last, steps.length - 1)] ?? 0;
  return (
    <div className="step-slider">
      <label className="small muted" htmlFor="step-slider">
        {selected === null ? 'Newest first. Drag to see earlier steps.' : `Step ${count(step)}`}
      </label>
      <input
        id="step-slider"
        type="range"
        min={0}
        max={last}
        disabled={steps.length < 2}
        value={selected ?? last}
        aria-valuetext={`step ${count(step)}`}
        onChange={(event) => {
          const index = event.currentTarget.valueAsNumber;
          onSelect(index >= last ? null : index);
        }}
      />
    </div>
  );
}

function SampleItem({ sample }: { sample: Sample }) {
  return (
    <li className="sample">
      <div className="sample-head">
        <span>step {count(sample.step)}</span>
        {sample.memorized ? (
          <span className="memorized" title="Occurs verbatim in the training text">
            copied
          </span>
        ) : null}
      </div>
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
    </li>
  );
}

/** Fewer samples say little about memorization. */
const MIN_COUNTED = 3;

function CopiedCount({ samples }: { samples: readonly Sample[] }) {
  const written = writtenSamples(samples);
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
