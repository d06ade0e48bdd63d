/** The crosshair's readout: the position on the x axis and the value of each series there. */
import type { TooltipContentProps } from 'recharts';
import { averageKey, type Axis } from '../../store/index.ts';
import type { ChartSpec } from './catalogue.ts';
import { axisText } from './scale.ts';

/** Passed by recharts. */
type TooltipProps = Partial<Pick<TooltipContentProps, 'active' | 'payload' | 'label'>>;

interface CrosshairProps extends TooltipProps {
  spec: ChartSpec;
  axis: Axis;
}

export function Crosshair({ spec, axis, active, payload, label }: CrosshairProps) {
  if (!active || !payload || payload.length === 0) return null;
  const values = new Map(payload.map((item) => [String(item.dataKey), Number(item.value)]));
  return (
    <div className="crosshair">
      <div className="muted">{axisText(Number(label), axis)}</div>
      {spec.series.map((series) => {
        const value = values.get(averageKey(series.metric)) ?? values.get(series.metric);
        return value === undefined ? null : (
          <div key={series.metric}>
            <i style={{ background: series.colour }} />
            {series.label}
            <b>{spec.format(value)}</b>
          </div>
        );
      })}
    </div>
  );
}
