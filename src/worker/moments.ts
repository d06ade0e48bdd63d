/** Whether the moments of a checkpoint are those of its optimizer. */
import type { ReadState } from '../checkpoint/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { Objective } from '../objectives/index.ts';
import { describeOptimizer, momentsOf } from '../optim/index.ts';
import type { Event } from '../protocol/index.ts';
import { runParameters } from '../train/index.ts';

/** What decides which parameters train. */
export interface LearnedBy {
  objective: Objective;
  /** Null for pretraining. */
  stage: StageConfig | null;
}

/**
 * Returns the state without moments, and tells the page why, unless it has all moments of its
 * optimizer and no others: with some of them the loss would jump.
 */
export function withUsableMoments(
  saved: ReadState,
  learned: LearnedBy,
  emit: (event: Event) => void,
): ReadState {
  const problem = problemOf(saved, learned);
  if (problem === null) return saved;
  const message = `${problem} The optimizer starts anew, so the loss may rise for some steps.`;
  emit({ type: 'notice', message });
  return { ...saved, optimizer: new Map() };
}

function problemOf(
  { optimizer, optimizer_problem, config, model, step, foreign }: ReadState,
  { objective, stage }: LearnedBy,
): string | null {
  if (optimizer_problem !== undefined) return optimizer_problem;
  // Before the first step all moments are zero.
  if (optimizer.size === 0 && (foreign || step === 0)) return null;
  const chain = describeOptimizer(config.training);
  const { parameters, trains } = runParameters(objective, { config, model, stage, data: null });
  const expected = parameters
    .filter(trains)
    .flatMap((parameter) =>
      momentsOf(chain, parameter).map((moment) => `${moment}.${parameter.name}`),
    );
  const missing = expected.filter((name) => !optimizer.has(name)).length;
  const others = optimizer.size - (expected.length - missing);
  if (missing === 0 && others === 0) return null;
  if (optimizer.size === 0) return 'This checkpoint has no optimizer state.';
  return `The optimizer state of this checkpoint does not fit: ${missing} missing, ${others} unknown.`;
}
