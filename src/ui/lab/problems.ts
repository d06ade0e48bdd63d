/** Why this page cannot train a run on a mesh, and what may be slow or fail, in sentences. */
import {
  type LabProblem,
  labProblems,
  type LabRun as ParallelRun,
  type Mesh,
  meshName,
  worldSize,
} from '../../plan/parallel/index.ts';
import { bytes } from '../../store/index.ts';
import { MOST_RANKS } from '../../store/lab/index.ts';

/** All problems of a mesh in a page; empty if its ranks can train the run. */
export function pageProblems(mesh: Mesh, run: ParallelRun): LabProblem[] {
  const size = worldSize(mesh);
  if (size > MOST_RANKS) {
    const message =
      `${meshName(mesh)} takes ${size} ranks, and a page has at most ${MOST_RANKS}: each is a ` +
      'worker with a device of its own. Make dp, tp or pp smaller.';
    return [{ field: null, message, nearest: [] }];
  }
  return labProblems(mesh, run);
}

export interface DeviceLimits {
  asks_for_float16: boolean;
  /** Of the frozen weights of a stage with adapters. */
  asks_for_float16_weights: boolean;
  ranks: number;
  /** Threads of the processor; null if the ranks are on the GPU or the browser does not tell. */
  cores: number | null;
  /** Of all ranks together, as planned. */
  bytes_needed: number;
  /** Null if unknown. */
  bytes_here: number | null;
}

/** What may be slow or fail, but does not prevent a start. */
export function labWarnings(limits: DeviceLimits): string[] {
  const { ranks, cores, bytes_needed, bytes_here } = limits;
  const warnings: string[] = [];
  if (limits.asks_for_float16) {
    warnings.push('The recipe asks for float16 activations; ranks compute in float32 instead.');
  }
  if (limits.asks_for_float16_weights) {
    warnings.push(
      'The stage asks for frozen weights in float16; ranks keep them in float32 instead.',
    );
  }
  if (cores !== null && ranks > cores) {
    const places = cores === 1 ? 'one processor core' : `${cores} processor cores`;
    warnings.push(
      `${ranks} ranks share the ${places} of this device, so they take turns: results are the ` +
        'same, and times say little.',
    );
  }
  if (bytes_here !== null && bytes_needed > bytes_here) {
    warnings.push(
      `All ranks together need ${bytes(bytes_needed)}, and this device has about ` +
        `${bytes(bytes_here)}: a rank may fail. Share more (a higher ZeRO stage), or make the ` +
        'model or the batch smaller.',
    );
  }
  return warnings;
}
