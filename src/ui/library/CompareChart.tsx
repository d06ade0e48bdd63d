/** Training and validation loss of several runs in one chart, with all values at the crosshair. */
import { useEffect, useMemo, useState } from 'react';
import { ReferenceLine, Tooltip } from 'recharts';
import {
  count,
  lossText,
  m4,
  movingAverage,
  type ChartRow,
  type MetricTable,
} from '../../store/index.ts';
import { lossDomains, LossPlot, trainingLine, validationLine } from '../charts/LossPlot.tsx';
import { valueAt } from './value_at.ts';

export interface ComparedRun {
  run: string;
  name: string;
  /** A CSS value. */
  colour: string;
  /** Null until its metrics are read. */
  table: MetricTable | null;
}

const TRAIN = 'train/loss';
const VALIDATION = 'val/loss';
const HEIGHT = 340;
const POINTS = 240;
/** The span of the moving average of the training loss, as a share of the steps so far. */
const SMOOTHED_SHARE = 0.03;
const TICK_MS = 1000;

export function CompareChart({ runs }: { runs: readonly ComparedRun[] }) {
  const version = useVersion(runs);
  const { rows, domains } = useMemo(() => lossRows(version, runs), [version, runs]);
  const [at, setAt] = useState<number | null>(null);
  const { x } = domains;
  const isLoading = runs.some(({ table }) => table === null);
  return (
    <figure className="compare-chart">
      <figcaption>
        Loss by step
        <span className="small muted"> solid: training, smoothed; dashed: validation</span>
      </figcaption>
      <div
        tabIndex={0}
        role="img"
        aria-label="Loss of the compared runs by step. Arrow keys move the crosshair."
        data-testid="compare-chart"
        onKeyDown={(event) => {
          const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
          if (step === undefined || x[1] <= 0) return;
          event.preventDefault();
          const next = (at ?? (step > 0 ? x[0] : x[1])) + (step * x[1]) / 50;
          setAt(Math.round(Math.min(x[1], Math.max(x[0], next))));
        }}
      >
        <LossPlot
          rows={rows}
          domains={domains}
          height={HEIGHT}
          empty={isLoading ? 'Reading the metrics…' : 'No losses yet'}
          onStep={setAt}
        >
          {runs.flatMap(runLines)}
          {at === null ? null : <ReferenceLine x={at} stroke="var(--muted)" />}
          <Tooltip content={() => null} cursor={false} isAnimationActive={false} />
        </LossPlot>
      </div>
      <Values runs={runs} at={at ?? x[1]} />
    </figure>
  );
}

const runLines = ({ run, colour }: ComparedRun) => [
  trainingLine(`${run}:${TRAIN}`, colour),
  validationLine(`${run}:${VALIDATION}`, colour),
];

/** The legend, with the values of every run at the crosshair or at the end. */
function Values({ runs, at }: { runs: readonly ComparedRun[]; at: number }) {
  return (
    <table className="compare-values" data-testid="compare-values">
      <caption className="small muted">{`At step ${count(at)}`}</caption>
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col">Training loss</th>
          <th scope="col">Validation loss</th>
        </tr>
      </thead>
      <tbody>
        {runs.map(({ run, name, colour, table }) => (
          <tr key={run}>
            <th scope="row">
              <i style={{ background: colour }} aria-hidden /> {name}
            </th>
            <td>{lossText(valueAt(table?.get(TRAIN), at))}</td>
            <td>{lossText(valueAt(table?.get(VALIDATION), at))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Changes when any table has changed; looks once a second, since tables are not React state. */
function useVersion(runs: readonly ComparedRun[]): string {
  const version = (): string => runs.map(({ table }) => table?.version ?? -1).join(' ');
  const [, setCount] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setCount((last) => last + 1), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return version();
}

/** `version` is unused: it marks the state of the mutable tables. */
function lossRows(_version: string, runs: readonly ComparedRun[]) {
  const rows = new Map<number, ChartRow>();
  const values: number[] = [];
  for (const { run, table } of runs) {
    for (const metric of [TRAIN, VALIDATION]) {
      const series = table?.get(metric);
      if (!series) continue;
      const { step, value } = series;
      const drawn = metric === TRAIN ? movingAverage(step, value, SMOOTHED_SHARE) : value;
      for (const index of m4(step, drawn, POINTS)) {
        const x = step[index] ?? NaN;
        const row = rows.get(x) ?? { x };
        row[`${run}:${metric}`] = drawn[index] ?? NaN;
        rows.set(x, row);
        values.push(drawn[index] ?? NaN);
      }
    }
  }
  const sorted = [...rows.values()].sort((a, b) => a.x - b.x);
  return { rows: sorted, domains: lossDomains(sorted.at(-1)?.x ?? 0, values) };
}
