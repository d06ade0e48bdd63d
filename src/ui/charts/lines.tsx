/** The lines of a chart: its series, and the same metric of overlaid runs. */
import type { ReactElement } from 'react';
import { Line } from 'recharts';
import { averageKey, overlayKey } from '../../store/index.ts';
import type { ChartSpec } from './catalogue.ts';
import { overlayColour } from './overlay_colour.ts';

const COMMON = { isAnimationActive: false, connectNulls: true, activeDot: false } as const;

/** The series of each overlaid run, in the colour of that run. */
export const overlayLines = (runs: readonly string[], spec: ChartSpec): ReactElement[] =>
  runs.flatMap((run, index) =>
    spec.series.map(({ metric, kind }) => (
      <Line
        key={overlayKey(run, metric)}
        {...COMMON}
        dataKey={overlayKey(run, metric)}
        stroke={overlayColour(index)}
        strokeWidth={1.4}
        strokeDasharray={kind === 'points' ? '2 3' : undefined}
        dot={kind === 'points' ? { r: 2, fill: overlayColour(index), strokeWidth: 0 } : false}
      />
    )),
  );

interface LineOptions {
  /** Draws a bold moving average over a faint raw line. */
  smoothed: boolean;
}

type Series = ChartSpec['series'][number];

export const seriesLines = (spec: ChartSpec, options: LineOptions): ReactElement[] =>
  spec.series.flatMap((series) => linesOf(series, options));

function linesOf(series: Series, { smoothed }: LineOptions): ReactElement[] {
  if (series.kind === 'points') return [pointsLine(series)];
  if (series.smooth && smoothed) return [faintLine(series), averageLine(series)];
  return [plainLine(series)];
}

const pointsLine = ({ metric, colour }: Series): ReactElement => (
  <Line
    key={metric}
    {...COMMON}
    stroke={colour}
    dataKey={metric}
    strokeWidth={1.8}
    dot={{ r: 3, fill: colour, strokeWidth: 0 }}
  />
);

const plainLine = ({ metric, colour }: Series): ReactElement => (
  <Line key={metric} {...COMMON} stroke={colour} dataKey={metric} strokeWidth={1.7} dot={false} />
);

const faintLine = ({ metric, colour }: Series): ReactElement => (
  <Line
    key={metric}
    {...COMMON}
    stroke={colour}
    dataKey={metric}
    strokeWidth={1}
    strokeOpacity={0.32}
    dot={false}
  />
);

const averageLine = ({ metric, colour }: Series): ReactElement => (
  <Line
    key={averageKey(metric)}
    {...COMMON}
    stroke={colour}
    dataKey={averageKey(metric)}
    strokeWidth={2.2}
    dot={false}
  />
);
