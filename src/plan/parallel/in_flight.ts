/** How many micro-batches of a pipeline are between their forward and backward passes. */
import { chunksOf, type Mesh } from './mesh.ts';

/**
 * Micro-batches whose activations a rank holds at its peak, each counted once for every chunk of layers
 * that has run it.
 *
 * GPipe keeps all micro-batches (Huang et al. 2019), 1F1B as many as there are stages from this one to
 * the last (Narayanan et al. 2019), and the interleaved schedule one more than its warm-up has passes
 * (Narayanan et al. 2021).
 */
export function chunksInFlight(mesh: Mesh, microbatches: number, pp_rank: number): number {
  const { pp, schedule } = mesh;
  if (pp === 1) return chunksOf(mesh);
  switch (schedule) {
    case 'gpipe':
      return microbatches;
    case '1f1b':
      return Math.min(microbatches, pp - pp_rank);
    case 'interleaved':
      return Math.min(microbatches * chunksOf(mesh), warmUpOf(mesh, pp_rank) + 1);
    default:
      return schedule satisfies never;
  }
}

/** Forward passes of the interleaved schedule before the first backward pass. */
const warmUpOf = (mesh: Mesh, pp_rank: number): number =>
  2 * (mesh.pp - pp_rank - 1) + (chunksOf(mesh) - 1) * mesh.pp;

/**
 * The largest number of micro-batches in flight in each chunk of a rank [chunks]. On this page each chunk
 * keeps memory for its own peak. Chunks peak at different times, so the sum exceeds `chunksInFlight`.
 */
export function inFlightByChunk(mesh: Mesh, microbatches: number, pp_rank: number): number[] {
  const chunks = chunksOf(mesh);
  if (chunks === 1) return [chunksInFlight(mesh, microbatches, pp_rank)];
  const warmUp = warmUpOf(mesh, pp_rank);
  const group = mesh.pp * chunks;
  /** Passes of one chunk among the first `count`; backward passes take the chunks in reverse. */
  const passesOf = (chunk: number, count: number): number => {
    const inLastGroup = Math.min(mesh.pp, Math.max(0, (count % group) - chunk * mesh.pp));
    return Math.floor(count / group) * mesh.pp + inLastGroup;
  };
  // After the warm-up the number repeats with every group of passes.
  const last = Math.min(microbatches * chunks, warmUp + 1 + group);
  return Array.from({ length: chunks }, (_, chunk) => {
    let peak = 0;
    for (let forwards = 1; forwards <= last; forwards++) {
      const backwards = Math.max(0, forwards - 1 - warmUp);
      const inFlight = passesOf(chunk, forwards) - passesOf(chunks - 1 - chunk, backwards);
      peak = Math.max(peak, inFlight);
    }
    return peak;
  });
}
