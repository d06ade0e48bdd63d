/** Losses of the global model by step, and the bytes of a round. */
import { count, lossText } from '../../store/index.ts';
import { lossDomains, LossPlot, trainingLine, validationLine } from '../charts/LossPlot.tsx';
import { useRoom } from './useClassroom.ts';

const HEIGHT = 260;
const LINES = [trainingLine('train', 'var(--c-train)'), validationLine('val', 'var(--c-val)')];

interface Row {
  x: number;
  train?: number;
  val?: number;
}

export default function RoomChart() {
  const memory = useRoom((state) => state.memory);
  const rows = rowsOf(memory);
  const losses = rows.flatMap(({ train = NaN, val = NaN }) => [train, val]);
  const domains = lossDomains(rows.at(-1)?.x ?? 0, losses);
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
      <div role="img" aria-label={summary || 'No losses yet.'}>
        <LossPlot rows={rows} domains={domains} height={HEIGHT} empty="No losses yet">
          {LINES}
        </LossPlot>
      </div>
      <p className="small muted">{summary}</p>
    </figure>
  );
}

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
