/** The loss of the run of the ranks. */
import { meshName } from '../../plan/parallel/index.ts';
import { CompareChart } from '../library/CompareChart.tsx';
import { useLab, useLabClient } from './lab.ts';

export function LabLoss() {
  const { table } = useLabClient();
  const mesh = useLab((state) => state.mesh);
  const hasStarted = useLab((state) => state.phase !== 'empty');
  if (!hasStarted) return null;
  const run = { run: 'lab', name: meshName(mesh), colour: 'var(--c-train)', table };
  return (
    <section aria-label="Loss of the ranks">
      <CompareChart runs={[run]} />
    </section>
  );
}
