/**
 * Before there is a run: one sentence on what training will show, and a picture of it: the loss of
 * an earlier run of this recipe, or a sketch.
 */
import { useEffect } from 'react';
import {
  averageKey,
  chartData,
  count,
  lossText,
  type MetricTable,
  type RunRecord,
  validationLoss,
} from '../../store/index.ts';
import { useClient, useForm, useLibrary } from '../context.tsx';
import { pathOf, WHOLE_RUN } from '../charts/path.ts';
import '../styles/train.css';

export function Preview() {
  const earlier = useEarlierRun();
  return (
    <div className="preview" id="part-preview" tabIndex={-1}>
      <p>
        Press Train. Here you will watch the loss fall, and what the model writes turn from
        gibberish into words.
      </p>
      {earlier ? <EarlierRun {...earlier} /> : <Sketch />}
    </div>
  );
}

/** Runs of fewer steps show no curve. */
const MIN_STEPS = 20;

interface Earlier {
  record: RunRecord;
  table: MetricTable;
}

/** The newest saved run with the text and the model of the form, once its metrics are read. */
function useEarlierRun(): Earlier | null {
  const client = useClient();
  const config = useForm((state) => state.config);
  const model = JSON.stringify(config.model);
  const record = useLibrary((state) =>
    state.runs.find(
      (run) =>
        run.step >= MIN_STEPS &&
        run.config.data.corpus === config.data.corpus &&
        JSON.stringify(run.config.model) === model,
    ),
  );
  const run = record?.run;
  useEffect(() => {
    if (run !== undefined) void client.library.preview(run);
  }, [client, run]);
  const preview = useLibrary((state) => state.preview);
  return record && preview?.run === record.run ? { record, table: preview.table } : null;
}

const SIZE = { width: 400, height: 170 };
const LOSS = [
  { metric: 'train/loss', smooth: true },
  { metric: 'val/loss', smooth: false },
];

function EarlierRun({ record, table }: Earlier) {
  const data = chartData(table, new Map(), LOSS, { ...WHOLE_RUN, smoothing: 5 });
  const paths = [
    { key: averageKey('train/loss'), colour: 'var(--c-train)' },
    { key: 'val/loss', colour: 'var(--c-val)' },
  ];
  const best = validationLoss(record);
  const loss = best === null ? '' : `, validation loss ${lossText(best)}`;
  return (
    <figure className="earlier-run" data-testid="earlier-run">
      <svg viewBox={`-2 -2 ${SIZE.width + 4} ${SIZE.height + 4}`} className="sketch" aria-hidden>
        <path className="sketch-axis" d={`M0 0V${SIZE.height}H${SIZE.width}`} />
        {paths.map(({ key, colour }) => (
          <path key={key} d={pathOf(data, key, SIZE)} style={{ stroke: colour }} />
        ))}
      </svg>
      <figcaption className="small muted">
        An earlier run on this text with this model: <b>{record.name}</b>, {count(record.step)}{' '}
        steps{loss}.
      </figcaption>
    </figure>
  );
}

/** A falling loss above three samples. */
function Sketch() {
  return (
    <svg viewBox="0 0 400 250" className="sketch" aria-hidden="true" data-testid="sketch">
      <path className="sketch-axis" d="M24 12v140h364" />
      <path
        className="sketch-line"
        d="M26 20c10 40 18 62 30 76s20 14 34 24 32 8 54 14 60 4 100 8 96 2 140 4"
      />
      <text x="26" y="186">
        xq nv;e
      </text>
      <text x="150" y="186">
        the mal
      </text>
      <text x="280" y="186">
        the whale
      </text>
      <path className="sketch-axis" d="M26 206h360m-8-5 9 5-9 5" />
    </svg>
  );
}
