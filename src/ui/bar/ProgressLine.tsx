/** A thin line under the bar that shows the progress of the run, or of its preparation. */
import { isActive, type RunState } from '../../store/index.ts';
import { useRun } from '../context.tsx';

/** Width of the sliding bar while the progress is unknown. */
const UNKNOWN_SHARE = 0.3;

const isPreparing = ({ phase }: RunState): boolean =>
  phase === 'preparing' || phase === 'compiling';

/** Between 0 and 1, or null if unknown. */
function progressOf(state: RunState): number | null {
  if (!isActive(state.phase)) return state.phase === 'done' ? 1 : 0;
  if (isPreparing(state)) return state.progress;
  if (!state.config) return 0;
  return Math.min(1, state.step / state.config.training.max_iters);
}

export function ProgressLine() {
  const progress = useRun(progressOf);
  const preparing = useRun(isPreparing);
  return (
    <div
      className="progress-line"
      role="progressbar"
      aria-label="Progress"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={progress === null ? undefined : Math.round(progress * 100)}
      data-unknown={progress === null || undefined}
      data-quiet={preparing || undefined}
    >
      <span style={{ transform: `scaleX(${progress ?? UNKNOWN_SHARE})` }} />
    </div>
  );
}
