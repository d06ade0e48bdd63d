/** The arrangement of ranks, with what is wrong beside the field that it concerns. */
import {
  type Mesh,
  type MeshField,
  type MeshProblem,
  microBatchSize,
  PIPELINE_SCHEDULES,
  worldSize,
  ZERO_STAGES,
} from '../../plan/parallel/index.ts';
import { SCHEDULE_LABELS, ZERO_LABELS } from '../mesh_labels.ts';
import { Choice, NumberField } from './fields.tsx';
import type { Planned } from './planned.ts';
import { changeMesh, changeTraining, usePlanning } from './planning.ts';
import { ranks } from './words.ts';

const SIZES = [
  ['dp', 'Data parallel'],
  ['tp', 'Tensor parallel'],
  ['pp', 'Pipeline stages'],
] as const;

const MOST_RANKS = 4096;
const MOST_MICRO_BATCHES = 65_536;

export function MeshChoice({ planned: { job, problems, fleet } }: { planned: Planned }) {
  const mesh = usePlanning((state) => state.mesh);
  const size = worldSize(mesh);
  const rows = microBatchSize(job.training, mesh);
  return (
    <section className="form-section" aria-label="Mesh">
      <h2>Mesh: {ranks(size)}</h2>
      <div className="plan-fields">
        {SIZES.map(([field, label]) => (
          <NumberField
            key={field}
            label={label}
            value={mesh[field]}
            range={[1, MOST_RANKS]}
            problem={problemOf(problems, field)}
            onChange={(value) => changeMesh({ [field]: value })}
          />
        ))}
        <NumberField
          label="Micro-batches"
          value={job.training.gradient_accumulation_steps}
          range={[1, MOST_MICRO_BATCHES]}
          problem={problemOf(problems, 'gradient_accumulation_steps')}
          onChange={(gradient_accumulation_steps) =>
            changeTraining({ gradient_accumulation_steps })
          }
        />
        <MeshOptions mesh={mesh} problems={problems} />
      </div>
      {problems.length === 0 ? (
        <p className="small muted">
          Micro-batches of {rows} {rows === 1 ? 'sequence' : 'sequences'} on each rank.
        </p>
      ) : null}
      {size > fleet.ranks ? (
        <p className="field-problem" role="alert">
          {ranks(size)} need as many devices, and the fleet has {fleet.ranks}.
        </p>
      ) : null}
    </section>
  );
}

/** What data-parallel ranks share, and the schedule of a pipeline. */
function MeshOptions({ mesh, problems }: { mesh: Mesh; problems: readonly MeshProblem[] }) {
  return (
    <>
      <Choice
        label="Data-parallel ranks share"
        options={ZERO_STAGES.map((stage) => [String(stage), ZERO_LABELS[stage]] as const)}
        value={String(mesh.zero_stage)}
        onChange={(value) => {
          const zero_stage = ZERO_STAGES.find((stage) => String(stage) === value);
          if (zero_stage !== undefined) changeMesh({ zero_stage });
        }}
      />
      <Choice
        label="Schedule"
        options={PIPELINE_SCHEDULES.map((name) => [name, SCHEDULE_LABELS[name]] as const)}
        value={mesh.schedule}
        onChange={(schedule) => changeMesh({ schedule, virtual_chunks: firstChunks(schedule) })}
      />
      {mesh.schedule === 'interleaved' ? (
        <NumberField
          label="Chunks of a stage"
          value={mesh.virtual_chunks}
          range={[1, 128]}
          problem={problemOf(problems, 'virtual_chunks')}
          onChange={(virtual_chunks) => changeMesh({ virtual_chunks })}
        />
      ) : null}
    </>
  );
}

const firstChunks = (schedule: Mesh['schedule']): number => (schedule === 'interleaved' ? 2 : 1);

/** The sentences about a field. */
const problemOf = (problems: readonly MeshProblem[], field: MeshField): string | undefined =>
  problems
    .filter((problem) => problem.field === field)
    .map(({ message }) => message)
    .join(' ') || undefined;
