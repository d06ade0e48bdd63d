/** The user's choices for the next run of the lab, kept while the page is open. */
import { create } from 'zustand';
import type { Mesh } from '../../plan/parallel/index.ts';

export interface LabChoices {
  mesh: Mesh;
  /** Id of the saved run that is continued, NEW_STAGE, or '' for new weights of the recipe. */
  from: string;
  /** How many times slower a slow rank is. */
  slowness: number;
}

/** The value of `from` for the stage that is set up in the form of new stages. */
export const NEW_STAGE = 'new stage';

export const useChoices = create<LabChoices>(() => ({
  mesh: { dp: 2, tp: 1, pp: 1, zero_stage: 0, schedule: '1f1b', virtual_chunks: 1 },
  from: '',
  slowness: 4,
}));

/** Whether a mesh offers `sync_each_batch`: others always or never reduce after each micro-batch. */
export const canSync = ({ dp, pp, zero_stage }: Mesh): boolean =>
  dp > 1 && pp === 1 && zero_stage < 2;

/** The mesh with defaults in place of choices that have no effect on it. */
export function plainMesh(mesh: Mesh): Mesh {
  const { dp, pp, zero_stage, schedule, virtual_chunks } = mesh;
  const isPipeline = pp > 1;
  return {
    ...mesh,
    zero_stage: dp > 1 ? zero_stage : 0,
    schedule: isPipeline ? schedule : '1f1b',
    virtual_chunks: isPipeline ? virtual_chunks : 1,
    sync_each_batch: canSync(mesh) ? mesh.sync_each_batch : undefined,
  };
}

export const chooseMesh = (change: Partial<Mesh>): void =>
  useChoices.setState(({ mesh }) => ({ mesh: { ...mesh, ...change } }));
