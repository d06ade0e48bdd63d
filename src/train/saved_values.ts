/** Where the values of a parameter are in a saved state. */
import type { TrainerState } from './state.ts';

/** PPO's value model starts from the policy where no tensors are given for it. */
const withoutPrefix = (name: string): string => name.replace(/^value\./, '');

/** The values that a run starts a parameter from; undefined if it is drawn. */
export function savedValues(
  from: TrainerState | null | undefined,
  name: string,
): Float32Array | undefined {
  return (
    from?.parameters.get(name) ??
    from?.objective_tensors?.get(name)?.data ??
    from?.parameters.get(withoutPrefix(name))
  );
}

/** The values that the frozen reference had when the state was saved. */
export function savedReference(
  from: TrainerState | null | undefined,
  name: string,
): Float32Array | undefined {
  return from?.objective_tensors?.get(`reference.${name}`)?.data;
}
