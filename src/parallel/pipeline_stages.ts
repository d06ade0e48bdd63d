/**
 * How a pipeline cuts a model: which layers each rank holds, and with them which parameters. Layers
 * are divided evenly, as Megatron-LM does, which refuses other numbers of layers (`plan/parallel/lab_check.ts`).
 */
import type { Mesh, MeshPlace } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { blockOf, embeddingName } from '../model/index.ts';
import type { ModelStage } from '../model/stage_programs.ts';
import { labProblems, type LabRun } from '../plan/parallel/lab_check.ts';
import type { LocalParameter } from './local_parameters.ts';

/** Chunks of layers on a rank. */
export function chunkCount({ schedule, virtual_chunks }: Mesh): number {
  return schedule === 'interleaved' ? virtual_chunks : 1;
}

/** The virtual stages of a rank, by chunk. */
export function stagesOf(mesh: Mesh, place: MeshPlace, { n_layer }: ResolvedModel): ModelStage[] {
  const chunks = chunkCount(mesh);
  const stages = mesh.pp * chunks;
  const layers = n_layer / stages;
  return Array.from({ length: chunks }, (_, chunk) => {
    const virtual = chunk * mesh.pp + place.pp;
    return {
      start: virtual * layers,
      end: (virtual + 1) * layers,
      isFirst: virtual === 0,
      isLast: virtual === stages - 1,
    };
  });
}

export interface StagedRun extends LabRun {
  mesh: Mesh;
  place: MeshPlace;
}

/**
 * The parameters of a rank's stages out of those of all. A token embedding that is also the head is
 * on the first and on the last stage, where it is a copy.
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

/** The embedding that the first and the last stage hold, if they do (Megatron-LM's embedding group). */
export function tiedEmbedding(model: ResolvedModel): string | null {
  return model.tie_word_embeddings ? embeddingName(model) : null;
}
