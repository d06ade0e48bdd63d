/** The slider of training: selects the step whose samples are shown and marked on the charts. */
import { count } from '../../store/index.ts';
import { useClient } from '../context.tsx';
import { useShownSamples } from './shown.ts';

export function StepSlider() {
  const { view } = useClient().stores;
  const { steps, index, step } = useShownSamples();
  const last = steps.length - 1;
  const isNewest = index === last;
  const text = step === null ? 'No samples yet' : `Step ${count(step)}`;
  return (
    <div className="step-slider">
      <label htmlFor="step-slider">
        {text}
        {step !== null && isNewest ? <span className="muted">, the newest</span> : null}
      </label>
      <input
        id="step-slider"
        type="range"
        min={0}
        max={Math.max(1, last)}
        disabled={steps.length < 2}
        value={last < 1 ? 1 : index}
        aria-valuetext={text}
        title="Drag to see what the model wrote at earlier steps"
        onChange={(event) => {
          const next = event.currentTarget.valueAsNumber;
          view.setState({ sampleStep: next >= last ? null : (steps[next] ?? null) });
        }}
      />
      <button
        type="button"
        className="link"
        style={{ visibility: isNewest ? 'hidden' : 'visible' }}
        onClick={() => view.setState({ sampleStep: null })}
      >
        Newest
      </button>
    </div>
  );
}
