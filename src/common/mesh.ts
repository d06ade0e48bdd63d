/**
 * How the ranks of one run are arranged. Names as in the papers and in Megatron-LM: `dp` ranks hold
 * the same slice of the model and different rows, `tp` ranks hold slices of each layer
 * (tensor_model_parallel_size), `pp` ranks hold layers that follow one another
 * (pipeline_model_parallel_size).
 */

/** What ranks of data parallelism share out (Rajbhandari et al. 2020): 1 moments, 2 and gradients, 3 and weights. */
export type ZeroStage = 0 | 1 | 2 | 3;

/**
 * In which order a stage of a pipeline works on micro-batches: `gpipe` (Huang et al. 2019), `1f1b`
 * (Narayanan et al. 2019), `interleaved` 1F1B (Narayanan et al. 2021).
 */
export type PipelineSchedule = 'gpipe' | '1f1b' | 'interleaved';

export interface Mesh {
  dp: number;
  tp: number;
  pp: number;
  zero_stage: ZeroStage;
  /** Of a pipeline; ignored where `pp` is 1. */
  schedule: PipelineSchedule;
  /** Chunks of layers that a rank holds under `interleaved`; otherwise 1. */
  virtual_chunks: number;
  /**
   * Whether gradients are reduced after each micro-batch, not once a step (accelerate). Data parallelism
   * and ZeRO-1 then add in the order of ZeRO-2 and 3, which always do so, and have the same bits; they
   * send as many bytes more. Without a pipeline only.
   */
  sync_each_batch?: boolean | undefined;
}

/** Where a rank is in a mesh. */
export interface MeshPlace {
  dp: number;
  tp: number;
  pp: number;
}

export const ONE_RANK: Mesh = {
  dp: 1,
  tp: 1,
  pp: 1,
  zero_stage: 0,
  schedule: '1f1b',
  virtual_chunks: 1,
};

/** Number of ranks of a mesh. */
export function worldSize({ dp, tp, pp }: Mesh): number {
  return dp * tp * pp;
}

/** Where a rank is: `tp` varies fastest, then `dp`, then `pp`, as in Megatron-LM. */
export function placeOf(mesh: Mesh, rank: number): MeshPlace {
  return {
    tp: rank % mesh.tp,
    dp: Math.floor(rank / mesh.tp) % mesh.dp,
    pp: Math.floor(rank / (mesh.tp * mesh.dp)),
  };
}

/** The rank at a place. */
export function rankAt(mesh: Mesh, place: MeshPlace): number {
  return (place.pp * mesh.dp + place.dp) * mesh.tp + place.tp;
}

/** The ranks that differ from `rank` along one axis only, in order, itself included. */
export function groupOf(mesh: Mesh, rank: number, axis: keyof MeshPlace): number[] {
  const place = placeOf(mesh, rank);
  return Array.from({ length: mesh[axis] }, (_, i) => rankAt(mesh, { ...place, [axis]: i }));
}
