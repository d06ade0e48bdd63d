/** Searches for a mesh, and plans the one that was found or chosen. */
import { type Candidate, searchSteps } from '../../plan/parallel/index.ts';
import type { Planned } from './planned.ts';
import { endSearch, usePlanning, useSearching } from './planning.ts';

/** Longest time without a turn of the event loop, milliseconds: a search of many devices takes minutes. */
const SLICE_MS = 40;

/** Searches, and plans the best mesh that it finds, unless the search is ended before. */
export async function searchAndTake({ job, fleet, speeds }: Planned): Promise<void> {
  const steps = searchSteps(job, fleet, speeds);
  let searching = { tried: 0 };
  usePlanning.setState({ found: null });
  useSearching.setState({ searching });
  for (let until = performance.now() + SLICE_MS; ;) {
    const step = steps.next();
    if (step.done) {
      endSearch();
      usePlanning.setState({ found: step.value });
      if (step.value.best) takeCandidate(step.value.best);
      return;
    }
    if (performance.now() < until) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (useSearching.getState().searching !== searching) return;
    searching = { tried: step.value };
    useSearching.setState({ searching });
    until = performance.now() + SLICE_MS;
  }
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
