/** The loss of the run of the ranks, and what else a stage measures. */
import { measure, type MetricTable } from '../../store/index.ts';
import { meshName } from '../../plan/parallel/index.ts';
import { CompareChart } from '../library/CompareChart.tsx';
import { useLab, useLabClient } from './lab.ts';

export function LabLoss() {
  const { table } = useLabClient();
  const mesh = useLab((state) => state.mesh);
  const isStage = useLab((state) => state.stage !== null);
  const hasStarted = useLab((state) => state.phase !== 'empty');
  if (!hasStarted) return null;
  const run = { run: 'lab', name: meshName(mesh), colour: 'var(--c-train)', table };
  return (
    <section aria-label="Loss of the ranks">
      <CompareChart runs={[run]} />
      {isStage ? <StageNumbers table={table} /> : null}
    </section>
  );
}

/** Measured of every run, or shown elsewhere. */
const OF_EVERY_RUN = ['train/loss', 'val/loss', 'lr', 'tokens', 'seconds', 'grad_norm'];

/** The latest values, by the names that TRL's trainers log. */
function StageNumbers({ table }: { table: MetricTable }) {
  // A step or an evaluation changes the table in place.
  useLab((state) => state.recent);
  useLab((state) => state.phase);
  const names = table.names.filter((name) => !OF_EVERY_RUN.includes(name));
  if (names.length === 0) return null;
  return (
    <dl className="facts" data-testid="lab-stage-numbers">
      {names.map((name) => (
        <div key={name}>
          <dt>
            <code>{name}</code>
          </dt>
          <dd>{measure(table.get(name)?.last ?? NaN)}</dd>
        </div>
      ))}
    </dl>
  );
}
