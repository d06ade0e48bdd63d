/** Values and names of meshes. The type is in `common/mesh.ts`, because the lab's ranks share it. */
import type { Mesh, PipelineSchedule, ZeroStage } from '../../common/index.ts';

export {
  type Mesh,
  ONE_RANK,
  type PipelineSchedule,
  worldSize,
  type ZeroStage,
} from '../../common/index.ts';

export const ZERO_STAGES: readonly ZeroStage[] = [0, 1, 2, 3];
export const PIPELINE_SCHEDULES: readonly PipelineSchedule[] = ['gpipe', '1f1b', 'interleaved'];

/** Number of chunks of consecutive layers on each rank. */
export const chunksOf = ({ pp, schedule, virtual_chunks }: Mesh): number =>
  pp > 1 && schedule === 'interleaved' ? virtual_chunks : 1;

/** "DP 4 x TP 2, ZeRO-1"; "one rank" for a mesh of one. */
export function meshName(mesh: Mesh): string {
  const { dp, tp, pp, zero_stage } = mesh;
  const sizes = [
    ['DP', dp],
    ['TP', tp],
    ['PP', pp],
  ] as const;
  const used = sizes.filter(([, size]) => size > 1).map(([name, size]) => `${name} ${size}`);
  if (used.length === 0) return 'one rank';
  const parts = [used.join(' x ')];
  if (zero_stage > 0 && dp > 1) parts.push(`ZeRO-${zero_stage}`);
  if (pp > 1 && mesh.schedule !== '1f1b') parts.push(scheduleName(mesh));
  return parts.join(', ');
}

function scheduleName({ schedule, virtual_chunks }: Mesh): string {
  switch (schedule) {
    case 'gpipe':
      return 'GPipe';
    case '1f1b':
      return '1F1B';
    case 'interleaved':
      return `interleaved by ${virtual_chunks}`;
    default:
      return schedule satisfies never;
  }
}
