/**
 * Rules that involve several fields, or facts about the text and the device. Before anything runs,
 * they adjust what is plainly meant otherwise (`adjust.ts`) and report what would make a run fail.
 */
import type { RunConfig } from '../schema.ts';
import { checkDevice } from './device.ts';
import { checkHeads, checkLayout } from './model.ts';
import type { Facts, Problem } from './problem.ts';
import { checkText } from './text.ts';

export { adjustmentsOf, withAdjustments, type Adjustment } from './adjust.ts';
export type { Facts, Problem, ProblemCode } from './problem.ts';

/**
 * Returns all problems of a configuration, most basic first, each with the field to mark. Empty if
 * the configuration can run, as far as is known.
 */
export function checkConfig(config: RunConfig, facts: Facts = {}): Problem[] {
  const headProblems = checkHeads(config.model);
  const problems = [...headProblems, ...checkLayout(config.model), ...checkText(config, facts)];
  // Sizes of tensors mean nothing while the heads do not divide the width.
  if (headProblems.length === 0) problems.push(...checkDevice(config, facts));
  return problems;
}
