/**
 * The current run: the loss beside what the model writes, one slider of training under both, and
 * the other charts. In a narrow window the words come first.
 */
import { LazyCharts } from '../charts/LazyCharts.tsx';
import { StepSlider } from '../samples/StepSlider.tsx';
import { Words } from '../samples/Words.tsx';
import { useRun } from '../context.tsx';
import { lazyPart } from '../states/Part.tsx';
import { useNarrow } from '../useNarrow.ts';
import '../styles/train.css';

/** Of runs after pretraining. */
const { Lazy: BeforeAfter } = lazyPart(() => import('../stages/train/BeforeAfter.tsx'));
const { Lazy: StageParts } = lazyPart(() => import('../stages/train/StageParts.tsx'));

export function Train() {
  const narrow = useNarrow();
  const isStage = useRun((state) => state.stage !== null);
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
      {isStage ? <BeforeAfter title="The answers" props={{}} /> : <Words />}
    </section>
  );
  const slider = <StepSlider key="slider" />;
  return (
    <div className="train">
      {narrow ? [words, slider, loss] : [loss, words, slider]}
      {isStage ? <StageParts title="The stage" props={{}} /> : null}
      <section className="train-others" aria-label="Other charts">
        <LazyCharts part="others" />
      </section>
    </div>
  );
}
