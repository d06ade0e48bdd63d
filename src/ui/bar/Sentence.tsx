/** The sentence of state; the live region beside it speaks only when the phase changes. */
import { sentence } from '../../store/index.ts';
import { useRun } from '../context.tsx';

export function Sentence() {
  const text = useRun(sentence);
  return (
    <p className="sentence" data-testid="state-sentence" title={text}>
      {text}
    </p>
  );
}

/** Spoken seldom: once for each phase that lasts, never for a step. */
export function Announcer() {
  const spoken = useRun((state) => {
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
      {spoken}
    </div>
  );
}
