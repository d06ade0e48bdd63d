/** A thin line under the bar: how far the run, or its preparation, is. */
import { isActive } from '../../store/index.ts';
import { useRun } from '../context.tsx';

export function ProgressLine() {
  const share = useRun((state) => {
    if (!isActive(state.phase)) return state.phase === 'done' ? 1 : 0;
    if (state.phase === 'preparing' || state.phase === 'compiling') return state.progress ?? -1;
    return state.config ? state.step / state.config.training.max_iters : 0;
  });
  const quiet = useRun((state) => state.phase === 'preparing' || state.phase === 'compiling');
  return (
    <div
      className="progress-line"
      role="progressbar"
      aria-label="Progress"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={share < 0 ? undefined : Math.round(share * 100)}
      data-unknown={share < 0 || undefined}
      data-quiet={quiet || undefined}
    >
      <span style={{ transform: `scaleX(${share < 0 ? 0.3 : Math.min(1, share)})` }} />
    </div>
  );
}
