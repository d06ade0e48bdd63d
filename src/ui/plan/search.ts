/** Searches for a mesh, and plans the one that was found or chosen. */
import { type Candidate, searchMeshes } from '../../plan/parallel/index.ts';
import type { Planned } from './planned.ts';
import { usePlanning } from './planning.ts';

/** Searches, and plans the best mesh that it finds. */
export function searchAndTake({ job, fleet, speeds }: Planned): void {
  const found = searchMeshes(job, fleet, speeds);
  usePlanning.setState({ found });
  if (found.best) takeCandidate(found.best);
}

/** Plans a mesh that was found, with its micro-batches and its recomputation. The result of the search stays. */
export function takeCandidate({ plan, varied }: Candidate): void {
  usePlanning.setState(({ changes }) => ({
    mesh: plan.mesh,
    changes: {
      ...changes,
      recompute_granularity: varied.recompute_granularity,
      gradient_accumulation_steps: varied.gradient_accumulation_steps,
    },
  }));
}
