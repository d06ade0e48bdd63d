/**
 * How a pipeline cuts a model: which layers, and with them which parameters, each rank holds. As in
 * Megatron-LM all virtual stages have the same number of layers; `plan/parallel/lab_check.ts` refuses
 * models whose layers cannot be divided evenly.
 */
import type { Mesh, MeshPlace } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { blockOf, embeddingName } from '../model/index.ts';
import type { ModelStage } from '../model/stage_programs.ts';
import { labProblems, type LabRun } from '../plan/parallel/lab_check.ts';
import type { LocalParameter } from './local_parameters.ts';

/** Number of chunks of consecutive layers on each rank. */
export function chunkCount({ schedule, virtual_chunks }: Mesh): number {
  return schedule === 'interleaved' ? virtual_chunks : 1;
}

/** The layers of each chunk of a rank. Chunk c of rank r is virtual stage c p + r of the model. */
export function stagesOf(mesh: Mesh, place: MeshPlace, { n_layer }: ResolvedModel): ModelStage[] {
  const chunks = chunkCount(mesh);
  const stages = mesh.pp * chunks;
  const layers = n_layer / stages;
  return Array.from({ length: chunks }, (_, chunk) => {
    const virtualStage = chunk * mesh.pp + place.pp;
    return {
      start: virtualStage * layers,
      end: (virtualStage + 1) * layers,
      isFirst: virtualStage === 0,
      isLast: virtualStage === stages - 1,
    };
  });
}

export interface StagedRun extends LabRun {
  mesh: Mesh;
  place: MeshPlace;
}

/**
 * Selects the parameters that belong to a rank's stages. A token embedding that is also the head is on
 * the first stage, and as a copy on the last one.
 *
 * @throws RangeError with a sentence for the user if the mesh cannot train this run
 */
export function parametersOfStages(
  all: readonly LocalParameter[],
  { mesh, place, ...run }: StagedRun,
): LocalParameter[] {
  const { model } = run;
  const [problem] = labProblems(mesh, run);
  if (problem) throw new RangeError(problem.message);
  const stages = stagesOf(mesh, place, model);
  const isFirst = stages.some((stage) => stage.isFirst);
  const isLast = stages.some((stage) => stage.isLast);
  return all.flatMap((local) => {
    const { name, kind } = local.whole;
    const block = blockOf(name);
    if (block !== null) {
      const isHere = stages.some(({ start, end }) => start <= block && block < end);
      return isHere ? [local] : [];
    }
    if (kind !== 'embedding') return isLast ? [local] : [];
    if (isFirst) return [local];
    const isHead = model.tie_word_embeddings && name === embeddingName(model);
    return isLast && isHead ? [{ ...local, copy: true }] : [];
  });
}

/** Name of the embedding that first and last stage share (Megatron-LM's embedding group), if any. */
export function tiedEmbedding(model: ResolvedModel): string | null {
  return model.tie_word_embeddings ? embeddingName(model) : null;
}
