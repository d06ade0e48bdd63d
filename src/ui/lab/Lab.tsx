/** The parallel lab: one run trained by several ranks, drawn while it trains. */
import { usePrepare } from '../recipe/usePrepare.ts';
import { useFreshRuns } from '../library/useFreshRuns.ts';
import { hasRanks } from '../../store/lab/index.ts';
import { useKeptFocus } from '../useKeptFocus.ts';
import { useLab } from './lab.ts';
import { LabControls } from './LabControls.tsx';
import { LabLoss } from './LabLoss.tsx';
import { LabRecipe } from './LabRecipe.tsx';
import { Lessons } from './Lessons.tsx';
import { MemoryBars } from './MemoryBars.tsx';
import { MeshForm } from './MeshForm.tsx';
import { MeshPicture } from './MeshPicture.tsx';
import { TimelinePart } from './TimelinePart.tsx';
import { TrafficPart } from './TrafficPart.tsx';
import { useNextRun, useShownRun } from './useLabRun.ts';
import '@mantine/core/styles/NumberInput.layer.css';
import '../styles/library.css';
import '../styles/runs.css';
import '../styles/recipe.css';
import '../styles/stages.css';
import '../styles/new_stage.css';
import '../styles/plan.css';
import '../styles/lab.css';

export default function Lab() {
  useFreshRuns();
  usePrepare();
  const next = useNextRun();
  const shown = useShownRun(next);
  const buttons = useLab((state) => (state.phase === 'paused' ? 'paused' : hasRanks(state)));
  useKeptFocus(buttons, '.lab-sentence');
  return (
    <main className="models plan lab">
      <header>
        <h1>Parallel lab</h1>
        <p className="muted">
          One run trained by several ranks. Each is a worker with a device of its own, and all that
          they share goes through messages, which are counted and timed.
        </p>
      </header>
      <div className="plan-columns">
        <div className="plan-choices">
          <LabRecipe next={next} />
          <MeshForm next={next} />
          <LabControls next={next} />
        </div>
        <div className="plan-results">
          {shown.problems.length > 0 ? (
            <p className="empty">
              This mesh cannot train this run; see what is wrong beside its fields.
            </p>
          ) : (
            <>
              <MeshPicture run={shown} />
              <TimelinePart run={shown} />
              <MemoryBars run={shown} />
              <TrafficPart run={shown} />
            </>
          )}
          <LabLoss />
        </div>
      </div>
      <Lessons mesh={shown.mesh} />
    </main>
  );
}
