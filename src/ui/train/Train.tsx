/**
 * The current run: the loss beside what the model writes, one slider of training under both, and
 * the other charts. In a narrow window the words come first.
 */
import { LazyCharts } from '../charts/LazyCharts.tsx';
import { StepSlider } from '../samples/StepSlider.tsx';
import { Words } from '../samples/Words.tsx';
import { useNarrow } from '../useNarrow.ts';
import '../styles/train.css';

export function Train() {
  const narrow = useNarrow();
  const loss = (
    <section key="loss" id="part-charts" className="train-loss" aria-label="Loss" tabIndex={-1}>
      <LazyCharts part="first" />
    </section>
  );
  const words = (
    <section
      key="words"
      id="part-samples"
      className="train-words"
      aria-label="Samples"
      tabIndex={-1}
    >
      <Words />
    </section>
  );
  const slider = <StepSlider key="slider" />;
  return (
    <div className="train">
      {narrow ? [words, slider, loss] : [loss, words, slider]}
      <section className="train-others" aria-label="Other charts">
        <LazyCharts part="others" />
      </section>
    </div>
  );
}
