/** What fails while the run trains on, beside what it concerns, until it succeeds. */
import type { Concern, PlainError } from '../../store/index.ts';
import { useRun } from '../context.tsx';
import { ErrorBody } from './ErrorBody.tsx';
import '../styles/messages.css';

/** The errors of these concerns, in this order. */
export function Troubles({ of }: { of: readonly Concern[] }) {
  const troubles = useRun((state) => state.troubles);
  return of.map((concern) => {
    const error = troubles[concern];
    return error ? <Trouble key={concern} concern={concern} error={error} /> : null;
  });
}

function Trouble({ concern, error }: { concern: Concern; error: PlainError }) {
  return (
    <div className="message" data-kind="error" role="alert" data-testid={`trouble-${concern}`}>
      <ErrorBody error={error} />
    </div>
  );
}
