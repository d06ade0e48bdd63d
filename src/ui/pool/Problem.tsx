/** What could not be done, and what to do about it. */
import { useRoom } from './useClassroom.ts';

export function Problem() {
  const problem = useRoom((state) => state.problem);
  if (!problem) return null;
  return (
    <p className="together-problem" role="alert">
      <strong>{problem.message}</strong> {problem.hint}
    </p>
  );
}
