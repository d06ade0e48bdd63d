/** Training and validation losses by step, of one run or several, in a chart of full width. */
import { type ReactElement, type ReactNode, useRef } from 'react';
import { CartesianGrid, Line, LineChart, XAxis, YAxis } from 'recharts';
import { count, lossText } from '../../store/index.ts';
import { MARGIN, X_AXIS_HEIGHT, Y_AXIS_WIDTH } from './plot_area.ts';
import { niceTicks, paddedDomain } from './scale.ts';
import { useSize } from './useSize.ts';

export type Range = [number, number];

/** The steps from 0, and the losses with room around them; `losses` may have NaN. */
export function lossDomains(
  last_step: number,
  losses: readonly number[],
): Record<'x' | 'y', Range> {
  const finite = losses.filter(Number.isFinite);
  const extent = finite.length > 0 ? ([Math.min(...finite), Math.max(...finite)] as const) : null;
  return {
    x: [0, Math.max(1, last_step)],
    y: paddedDomain(extent, { references: [], log: false }),
  };
}

interface LossPlotProps {
  /** Points by `x`, the step, with one property for each line. */
  rows: readonly { x: number }[];
  domains: Record<'x' | 'y', Range>;
  /** In CSS pixels. */
  height: number;
  /** What stands in its place while there are no rows. */
  empty: string;
  onStep?: (step: number) => void;
  /** Elements of recharts, which inspects its children: lines, and whatever lies over them. */
  children: ReactNode;
}

/** Fills the width of its parent. */
export function LossPlot({ rows, domains, height, empty, onStep, children }: LossPlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  return (
    <div ref={box} style={{ height }} inert={onStep === undefined}>
      {width > 0 && rows.length > 0 ? (
        <LineChart
          width={width}
          height={height}
          data={rows}
          margin={MARGIN}
          accessibilityLayer={false}
          onMouseMove={({ activeLabel }) => {
            if (activeLabel !== undefined) onStep?.(Number(activeLabel));
          }}
        >
          <CartesianGrid vertical={false} stroke="var(--line)" />
          {axes(domains)}
          {children}
        </LineChart>
      ) : (
        <p className="chart-empty">{empty}</p>
      )}
    </div>
  );
}

const TICK = { fontSize: 11, fill: 'var(--muted)' };

/** recharts inspects its children, so these are elements and not components. */
const axes = ({ x, y }: Record<'x' | 'y', Range>): ReactElement[] => [
  <XAxis
    key="x"
    dataKey="x"
    type="number"
    domain={x}
    height={X_AXIS_HEIGHT}
    tick={TICK}
    tickLine={false}
    stroke="var(--line)"
    ticks={niceTicks(x, { log: false, maxTicks: 8, integers: true })}
    tickFormatter={count}
  />,
  <YAxis
    key="y"
    type="number"
    domain={y}
    allowDataOverflow
    width={Y_AXIS_WIDTH}
    tick={TICK}
    tickLine={false}
    axisLine={false}
    ticks={niceTicks(y, { log: false, maxTicks: 6 })}
    tickFormatter={lossText}
    interval={0}
  />,
];

const LINE = {
  isAnimationActive: false,
  connectNulls: true,
  dot: false,
  activeDot: false,
  strokeWidth: 1.8,
} as const;

/** `key`: the property of a row; `colour`: a CSS value. */
export const trainingLine = (key: string, colour: string): ReactElement => (
  <Line key={key} {...LINE} dataKey={key} stroke={colour} />
);

/** Dashed, with a dot for each evaluation. */
export const validationLine = (key: string, colour: string): ReactElement => (
  <Line
    key={key}
    {...LINE}
    dataKey={key}
    stroke={colour}
    strokeDasharray="5 3"
    dot={{ r: 2.5, fill: colour, strokeWidth: 0, strokeDasharray: '0' }}
  />
);
