/** What could not be done, and what to do about it. */
import type { RoomState } from '../../store/pool/index.ts';

export function Problem({ problem }: { problem: RoomState['problem'] }) {
  if (!problem) return null;
  return (
    <p className="together-problem" role="alert">
      <strong>{problem.message}</strong> {problem.hint}
    </p>
  );
}
