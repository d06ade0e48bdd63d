/** The report of a run on two sheets of A4 or Letter: recipe and curves, then samples and options. */
import {
  changedFields,
  fieldPaths,
  getField,
  PRESETS,
  type FieldPath,
  type RunConfig,
} from '../../config/index.ts';
import { compact, count, lossText, spokenDuration } from '../../store/index.ts';
import { chartSpecs } from '../charts/catalogue.ts';
import { useClient, useRun, useSamples } from '../context.tsx';
import { plainName } from '../lesson/plain.ts';
import { momentsOf } from './moments.ts';
import { PrintedChart } from './PrintedChart.tsx';

/** Charts beside the loss, as far as they have data. */
const MAX_SMALL_CHARTS = 6;
/** Changed options that have room on the first sheet. */
const MAX_CHANGES = 14;

export default function Report() {
  return (
    <div className="print-report" data-testid="print-report">
      <section className="sheet">
        <Head />
        <Changes />
        <Curves />
      </section>
      <section className="sheet">
        <Moments />
        <AllOptions />
      </section>
    </div>
  );
}

function Head() {
  const name = useRun((state) => state.name);
  const device = useRun((state) => state.device);
  const step = useRun((state) => state.step);
  const steps = useRun((state) => state.config?.training.max_iters ?? state.step);
  const loss = useRun((state) => state.loss);
  const parameters = useRun((state) => state.n_params);
  const seconds = useRun((state) => state.seconds);
  const { table } = useClient().stores;
  const validation = table.get('val/loss')?.last;
  const facts: [string, string | null][] = [
    ['Steps', `${count(step)} of ${count(steps)}`],
    ['Loss', Number.isFinite(loss) ? lossText(loss) : null],
    ['Validation loss', validation === undefined ? null : lossText(validation)],
    ['Parameters', compact(parameters)],
    ['Time', Number.isFinite(seconds) ? spokenDuration(seconds) : null],
    ['Device', device ? `${device.adapter} (${device.backend})` : null],
    ['Date', new Date().toLocaleDateString('en', { dateStyle: 'long' })],
  ];
  return (
    <header>
      <h1>{name || 'A training run'}</h1>
      <dl className="print-facts">
        {facts.map(([title, value]) =>
          value === null ? null : (
            <div key={title}>
              <dt>{title}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
    </header>
  );
}

function Changes() {
  const config = useRun((state) => state.config);
  // The form may have another preset by now.
  const recipe = useRun((state) => state.recipe);
  if (!config || !recipe) return null;
  const { base, preset } = recipe;
  const changed = changedFields(config, base);
  const title = PRESETS.find((one) => one.id === preset)?.title;
  const from = title ? `the preset “${title}”` : 'the defaults';
  if (changed.length === 0) return <p>The recipe is the same as {from}.</p>;
  const rest = changed.length - MAX_CHANGES;
  return (
    <>
      <h2>What differs from {from}</h2>
      <ul className="print-changes">
        {changed.slice(0, MAX_CHANGES).map((path) => (
          <li key={path}>
            {plainName(path)} <code>{path}</code>: <b>{valueText(config, path)}</b>
          </li>
        ))}
        {rest > 0 ? <li>and {rest} more, on the next page</li> : null}
      </ul>
    </>
  );
}

function valueText(config: RunConfig, path: FieldPath): string {
  const value = getField(config, path);
  return typeof value === 'object' ? value.map((text) => `“${text}”`).join(', ') : String(value);
}

function Curves() {
  const { table } = useClient().stores;
  const metrics = useRun((state) => state.metrics);
  const charts = useRun((state) => state.charts);
  const specs = chartSpecs(metrics, charts).filter((spec) =>
    spec.series.some(({ metric }) => (table.get(metric)?.length ?? 0) > 1),
  );
  const loss = specs.find((spec) => spec.id === 'loss');
  const others = specs.filter((spec) => spec !== loss).slice(0, MAX_SMALL_CHARTS);
  return (
    <>
      {loss ? <PrintedChart spec={loss} width={680} height={250} /> : null}
      <div className="print-small-charts">
        {others.map((spec) => (
          <PrintedChart key={spec.id} spec={spec} width={220} height={100} />
        ))}
      </div>
    </>
  );
}

function Moments() {
  const moments = momentsOf(useSamples());
  if (moments.length === 0) return <p>This run has drawn no samples.</p>;
  return (
    <>
      <h2>What it wrote</h2>
      {moments.map(({ step, text }) => (
        <article key={step} className="print-sample">
          <h3>Step {count(step)}</h3>
          <p>{text}</p>
        </article>
      ))}
    </>
  );
}

function AllOptions() {
  const config = useRun((state) => state.config);
  if (!config) return null;
  return (
    <>
      <h2>All options</h2>
      <dl className="print-options">
        {fieldPaths().map((path) => (
          <div key={path}>
            <dt>{plainName(path)}</dt>
            <dd>{valueText(config, path)}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
