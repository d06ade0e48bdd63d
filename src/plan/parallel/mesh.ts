/** The arrangement of ranks: data, tensor and pipeline parallelism, and what ZeRO shards. */

/** What the ranks of a data-parallel group shard (Rajbhandari et al. 2020); 0: nothing. */
export const ZERO_STAGES = [0, 1, 2, 3] as const;
export type ZeroStage = (typeof ZERO_STAGES)[number];

export const PIPELINE_SCHEDULES = ['gpipe', '1f1b', 'interleaved'] as const;
export type PipelineSchedule = (typeof PIPELINE_SCHEDULES)[number];

export interface Mesh {
  /** `data_parallel_size` of Megatron-LM. */
  dp: number;
  /** `tensor_model_parallel_size`. */
  tp: number;
  /** `pipeline_model_parallel_size`. */
  pp: number;
  zero_stage: ZeroStage;
  schedule: PipelineSchedule;
  /** Chunks of layers that a rank holds under the interleaved schedule; otherwise 1. */
  virtual_chunks: number;
  /** Micro-batches of a step on each data-parallel rank. */
  microbatches: number;
}

/** One rank that trains alone. */
export const oneRank = (): Mesh => ({
  dp: 1,
  tp: 1,
  pp: 1,
  zero_stage: 0,
  schedule: '1f1b',
  virtual_chunks: 1,
  microbatches: 1,
});

export const meshSize = ({ dp, tp, pp }: Pick<Mesh, 'dp' | 'tp' | 'pp'>): number => dp * tp * pp;

/** Chunks of consecutive layers on each rank. */
export const chunksOf = ({ schedule, virtual_chunks }: Mesh): number =>
  schedule === 'interleaved' ? virtual_chunks : 1;

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
