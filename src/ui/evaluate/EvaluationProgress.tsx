/** How far an evaluation is, and what it could not measure. */
import { Button, Progress } from '@mantine/core';
import { IconPlayerStopFilled } from '@tabler/icons-react';
import type { Evaluations } from '../../store/stages/evaluations.ts';
import { useEvaluations } from './evaluating.ts';

export function EvaluationProgress({ evaluating }: { evaluating: Evaluations }) {
  const running = useEvaluations((state) => state.running);
  const waiting = useEvaluations((state) => state.waiting);
  const problems = useEvaluations((state) => state.problems);
  return (
    <>
      {running ? (
        <div className="evaluate-progress" role="status">
          <p>
            {`Evaluating ${running.name}`}
            {waiting > 0 ? `; ${waiting} more to follow` : ''}
            {running.step
              ? `. ${running.step.of}: ${running.step.done} of ${running.step.total}`
              : '…'}
          </p>
          <Progress
            aria-label="Progress of the evaluation"
            value={running.step ? (100 * running.step.done) / Math.max(1, running.step.total) : 0}
          />
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlayerStopFilled size={14} />}
            onClick={() => evaluating.cancel()}
          >
            Cancel
          </Button>
        </div>
      ) : null}
      {problems.length > 0 ? (
        <ul className="small muted evaluate-problems" aria-label="Notes">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      ) : null}
    </>
  );
}
