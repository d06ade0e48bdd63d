import type { Objective, Sums } from '../objectives/index.ts';

/** Values in the order of the objective's sums, by name. */
export function namedSums(objective: Objective, values: ArrayLike<number>): Sums {
  return Object.fromEntries(objective.sums.map((name, i) => [name, values[i] ?? NaN]));
}
