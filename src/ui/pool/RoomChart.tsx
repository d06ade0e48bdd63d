/** Losses of the global model by step, and the bytes of a round. */
import { useRef, type ReactElement } from 'react';
import { CartesianGrid, Line, LineChart, XAxis, YAxis } from 'recharts';
import { count, lossText } from '../../store/index.ts';
import { niceTicks, paddedDomain } from '../charts/scale.ts';
import { useSize } from '../charts/useSize.ts';
import { useRoom } from './useClassroom.ts';

const HEIGHT = 260;
const TICK = { fontSize: 11, fill: 'var(--muted)' };
const LINE = { isAnimationActive: false, connectNulls: true, activeDot: false } as const;

interface Row {
  x: number;
  train?: number;
  val?: number;
}

export default function RoomChart() {
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const memory = useRoom((state) => state.memory);
  const rows = rowsOf(memory);
  const summary = summaryOf(memory);
  return (
    <figure className="together-chart">
      <figcaption>
        Loss of the shared model by step
        <span className="small muted">
          {' '}
          dashed: validation, measured on the host’s page; solid: training, mean of the members
        </span>
      </figcaption>
      <div ref={box} style={{ height: HEIGHT }} role="img" aria-label={summary || 'No losses yet.'}>
        {width > 0 && rows.length > 0 ? (
          <LineChart
            width={width}
            height={HEIGHT}
            data={rows}
            margin={{ top: 6, right: 10, bottom: 0, left: 0 }}
            accessibilityLayer={false}
          >
            <CartesianGrid vertical={false} stroke="var(--line)" />
            {axes(rows)}
            {LINES}
          </LineChart>
        ) : (
          <p className="chart-empty">No losses yet</p>
        )}
      </div>
      <p className="small muted">{summary}</p>
    </figure>
  );
}

/** recharts inspects its children, so these are elements and not components. */
function axes(rows: readonly Row[]): ReactElement[] {
  const x: [number, number] = [0, Math.max(1, ...rows.map((row) => row.x))];
  const losses = rows.flatMap(({ train = NaN, val = NaN }) => [train, val]);
  const finite = losses.filter(Number.isFinite);
  const extent = finite.length > 0 ? ([Math.min(...finite), Math.max(...finite)] as const) : null;
  const y = paddedDomain(extent, { references: [], log: false });
  return [
    <XAxis
      key="x"
      dataKey="x"
      type="number"
      domain={x}
      height={22}
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
      width={54}
      tick={TICK}
      tickLine={false}
      axisLine={false}
      ticks={niceTicks(y, { log: false, maxTicks: 6 })}
      tickFormatter={lossText}
      interval={0}
    />,
  ];
}

const LINES: readonly ReactElement[] = [
  <Line
    key="train"
    {...LINE}
    dataKey="train"
    stroke="var(--c-train)"
    strokeWidth={1.8}
    dot={false}
  />,
  <Line
    key="val"
    {...LINE}
    dataKey="val"
    stroke="var(--c-val)"
    strokeWidth={1.8}
    strokeDasharray="5 3"
    dot={{ r: 2.5, fill: 'var(--c-val)', strokeWidth: 0, strokeDasharray: '0' }}
  />,
];

type Memory = Parameters<typeof rowsOf>[0];

function rowsOf({
  records,
  evaluations,
}: {
  records: readonly { step: number; train_loss: number; bytes: number; seconds: number }[];
  evaluations: readonly { step: number; val_loss: number }[];
}): Row[] {
  const rows = new Map<number, Row>();
  const at = (x: number): Row => {
    const row = rows.get(x) ?? { x };
    rows.set(x, row);
    return row;
  };
  for (const { step, train_loss } of records) at(step).train = train_loss;
  for (const { step, val_loss } of evaluations) at(step).val = val_loss;
  return [...rows.values()].sort((a, b) => a.x - b.x);
}

function summaryOf({ records, evaluations }: Memory): string {
  const last = records.at(-1);
  const loss = evaluations.at(-1);
  const parts: string[] = [];
  if (loss)
    parts.push(`Validation loss ${lossText(loss.val_loss)} after ${count(loss.step)} steps.`);
  if (last) {
    const megabytes = (last.bytes / 1e6).toPrecision(3);
    parts.push(
      `The last round took ${last.seconds.toFixed(1)} s and moved ${megabytes} MB through the host.`,
    );
  }
  return parts.join(' ');
}
