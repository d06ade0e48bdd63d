/** The status sentence, and a live region that announces only changes of the phase. */
import { sentence } from '../../store/index.ts';
import { useRun } from '../context.tsx';

export function Sentence() {
  const text = useRun(sentence);
  return (
    <p className="sentence" data-testid="state-sentence">
      {text}
    </p>
  );
}

/** Announces each lasting phase once; steps are never announced. */
export function Announcer() {
  const announcement = useRun((state) => {
    switch (state.phase) {
      case 'preparing':
        return 'Preparing the text.';
      case 'compiling':
        return 'Compiling.';
      case 'training':
      case 'evaluating':
      case 'sampling':
      case 'saving':
        return 'Training.';
      case 'recovering':
        return 'The GPU was lost. Recovering.';
      case 'paused':
      case 'done':
      case 'failed':
        return sentence(state);
      case 'idle':
        return '';
      default:
        return state.phase satisfies never;
    }
  });
  return (
    <div className="sr-only" role="status" aria-live="polite">
      {announcement}
    </div>
  );
}
