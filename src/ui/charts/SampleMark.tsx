/** Marks on a chart the step whose samples are shown beside it. */
import { axisValue, count, type ViewState } from '../../store/index.ts';
import { useClient } from '../context.tsx';
import { useShownSamples } from '../samples/shown.ts';
import { pixelOf, type XScale } from './plot_area.ts';

interface SampleMarkProps {
  view: ViewState;
  scale: XScale;
}

export function SampleMark({ view, scale }: SampleMarkProps) {
  const { table } = useClient().stores;
  const { step } = useShownSamples();
  if (step === null) return null;
  const position = pixelOf(axisValue(table, step, view.axis), scale);
  // The newest samples may be ahead of a chart that is drawn four times a second.
  const left = view.zoom ? position : Math.min(position, scale.width);
  if (!(left >= 0 && left <= scale.width)) return null;
  return <i className="sample-mark" style={{ left }} title={`Samples of step ${count(step)}`} />;
}
