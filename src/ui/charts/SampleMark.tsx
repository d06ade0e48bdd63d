/** Marks on a chart the step whose samples are shown beside it. */
import { axisValue, count, type Axis } from '../../store/index.ts';
import { useClient } from '../context.tsx';
import { useShownSamples } from '../samples/shown.ts';
import { pixelOf, type XScale } from './plot_area.ts';

interface SampleMarkProps {
  axis: Axis;
  scale: XScale;
}

export function SampleMark({ axis, scale }: SampleMarkProps) {
  const { table } = useClient().stores;
  const { step } = useShownSamples();
  if (step === null) return null;
  const left = pixelOf(axisValue(table, step, axis), scale);
  if (!(left >= 0 && left <= scale.width)) return null;
  return <i className="sample-mark" style={{ left }} title={`Samples of step ${count(step)}`} />;
}
