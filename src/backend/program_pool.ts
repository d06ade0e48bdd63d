/** Memory that several programs share while they wait at boundaries. */
import { Arena } from './arena.ts';
import { state } from './state.ts';

/**
 * A pool for programs of which one runs at a time, from its beginning to its end. They share the memory
 * of what is alive across their boundaries, as CUDA graphs of one memory pool do. Undefined on
 * backends without kernels of ours.
 */
export function programPool(): Arena | undefined {
  return state.memory ? new Arena(state.memory, 'alive across a boundary') : undefined;
}
