/** What the crosshair reads: the x and each series' value there. */
import type { TooltipContentProps } from 'recharts';
import { averageKey, type Axis } from '../../store/index.ts';
import type { ChartSpec } from './catalogue.ts';
import { axisText } from './scale.ts';

type Reading = Partial<Pick<TooltipContentProps, 'active' | 'payload' | 'label'>>;

export function Crosshair({
  spec,
  axis,
  large,
  active,
  payload,
  label,
}: Reading & { spec: ChartSpec; axis: Axis; large: boolean }) {
  if (!active || !payload || payload.length === 0) return null;
  const values = new Map(payload.map((item) => [String(item.dataKey), Number(item.value)]));
  return (
    <div className="crosshair">
      {large ? <div className="muted">{axisText(Number(label), axis)}</div> : null}
      {spec.series.map((one) => {
        const value = values.get(averageKey(one.metric)) ?? values.get(one.metric);
        return value === undefined ? null : (
          <div key={one.metric}>
            <i style={{ background: one.colour }} />
            {large ? `${one.label} ` : ''}
            <b>{spec.format(value)}</b>
          </div>
        );
      })}
    </div>
  );
}
