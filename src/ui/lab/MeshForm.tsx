/** The form of the mesh. Problems are shown beside the field that they concern. */
import { Switch } from '@mantine/core';
import type { FieldPath } from '../../config/index.ts';
import { usesPairs } from '../../config/stage/index.ts';
import { setField } from '../../store/index.ts';
import { hasRanks, MOST_RANKS } from '../../store/lab/index.ts';
import { newStage, setTrainingField } from '../../store/stages/new_stage.ts';
import {
  type LabProblem,
  type Mesh,
  meshName,
  PIPELINE_SCHEDULES,
  worldSize,
  ZERO_STAGES,
} from '../../plan/parallel/index.ts';
import { useClient } from '../context.tsx';
import { FieldKey } from '../FieldKey.tsx';
import { Hint } from '../Hint.tsx';
import { Choice, NumberField } from '../plan/fields.tsx';
import { ranks } from '../plan/words.ts';
import { canSync, chooseMesh } from './choices.ts';
import { useLab } from './lab.ts';
import { SCHEDULE_LABELS, ZERO_LABELS } from '../mesh_labels.ts';
import { type NextRun, useWarnings } from './useLabRun.ts';

const SIZES = [
  {
    field: 'dp',
    label: 'Data parallel',
    megatron: 'data_parallel_size',
    help: 'Ranks that hold the same part of the model and compute different sequences.',
  },
  {
    field: 'tp',
    label: 'Tensor parallel',
    megatron: 'tensor_model_parallel_size',
    help: 'Ranks that hold slices of every layer and compute the same sequences together.',
  },
  {
    field: 'pp',
    label: 'Pipeline stages',
    megatron: 'pipeline_model_parallel_size',
    help: 'Ranks that hold layers which follow one another, and hand activations on.',
  },
] as const;

export function MeshForm({ next }: { next: NextRun }) {
  const { mesh, problems } = next;
  const warnings = useWarnings(next);
  const shownWarnings = problems.length > 0 ? [] : warnings;
  return (
    <section className="form-section" aria-label="Mesh">
      <h2>Mesh: {ranks(worldSize(mesh))}</h2>
      <div className="lab-sliders">
        {SIZES.map((size) => (
          <SizeSlider key={size.field} size={size} mesh={mesh} problems={problems} />
        ))}
      </div>
      <div className="plan-fields">
        {mesh.dp > 1 ? <ZeroChoice mesh={mesh} problems={problems} /> : null}
        {mesh.pp > 1 ? <ScheduleChoice mesh={mesh} problems={problems} /> : null}
        <BatchFields next={next} />
      </div>
      {canSync(mesh) && next.training.gradient_accumulation_steps > 1 ? (
        <SyncSwitch mesh={mesh} />
      ) : null}
      <Problems problems={problems.filter(({ field }) => field === null)} />
      <ForNext next={next} />
      {shownWarnings.map((warning) => (
        <p key={warning} className="small lab-warning" role="status">
          {warning}
        </p>
      ))}
    </section>
  );
}

/** Shown while ranks train with other choices than these. */
function ForNext({ next: { mesh, training } }: { next: NextRun }) {
  const trainingNow = useLab((state) => (hasRanks(state) ? state.config?.training : undefined));
  const meshNow = useLab((state) => state.mesh);
  if (!trainingNow) return null;
  const isSame =
    JSON.stringify(mesh) === JSON.stringify(meshNow) &&
    training.batch_size === trainingNow.batch_size &&
    training.gradient_accumulation_steps === trainingNow.gradient_accumulation_steps;
  if (isSame) return null;
  return (
    <p className="small muted" role="status">
      {meshName(meshNow)} keeps what it started with. To train with these choices, end the ranks and
      start again.
    </p>
  );
}

interface MeshProps {
  mesh: Mesh;
  problems: readonly LabProblem[];
}

function SizeSlider({ size, mesh, problems }: MeshProps & { size: (typeof SIZES)[number] }) {
  const { field, label, megatron, help } = size;
  const id = `lab-${field}`;
  const fieldProblems = problems.filter((problem) => problem.field === field);
  return (
    <div className="lab-slider">
      <div>
        <label htmlFor={id}>{label}</label>
        <FieldKey name={field} />
        <Hint about={label}>
          <p>{help}</p>
          <p>
            <FieldKey name={megatron} /> in Megatron-LM.
          </p>
        </Hint>
        <output htmlFor={id}>{mesh[field]}</output>
      </div>
      <input
        id={id}
        type="range"
        min={1}
        max={MOST_RANKS}
        value={mesh[field]}
        aria-invalid={fieldProblems.length > 0}
        aria-describedby={fieldProblems.length > 0 ? `${id}-problem` : undefined}
        onChange={({ currentTarget }) => chooseMesh({ [field]: Number(currentTarget.value) })}
      />
      <Problems
        problems={fieldProblems}
        id={`${id}-problem`}
        set={(value) => chooseMesh({ [field]: value })}
      />
    </div>
  );
}

export interface ProblemsProps {
  problems: readonly LabProblem[];
  id?: string;
  /** Sets the field to one of the possible values; without it none are offered. */
  set?: (value: number) => void;
}

export function Problems({ problems, id, set }: ProblemsProps) {
  if (problems.length === 0) return null;
  const nearest = [...new Set(problems.flatMap((problem) => problem.nearest))];
  return (
    <div className="field-problem" role="alert" id={id}>
      {problems.map(({ message }) => (
        <p key={message}>{message}</p>
      ))}
      {set
        ? nearest.map((value) => (
            <button key={value} type="button" className="link" onClick={() => set(value)}>
              Take {value}
            </button>
          ))
        : null}
    </div>
  );
}

function ZeroChoice({ mesh, problems }: MeshProps) {
  return (
    <div>
      <Choice
        label="Data-parallel ranks share"
        options={ZERO_STAGES.map((stage) => [String(stage), ZERO_LABELS[stage]] as const)}
        value={String(mesh.zero_stage)}
        onChange={(value) => {
          const zero_stage = ZERO_STAGES.find((stage) => String(stage) === value);
          if (zero_stage !== undefined) chooseMesh({ zero_stage });
        }}
      />
      <Problems
        problems={problems.filter(({ field }) => field === 'zero_stage')}
        set={(value) => {
          const zero_stage = ZERO_STAGES.find((stage) => stage === value);
          if (zero_stage !== undefined) chooseMesh({ zero_stage });
        }}
      />
    </div>
  );
}

/** For comparing bits with ZeRO-2 and 3, which always reduce gradients after each micro-batch. */
function SyncSwitch({ mesh: { sync_each_batch = false } }: Pick<MeshProps, 'mesh'>) {
  return (
    <Switch
      size="xs"
      label="Reduce gradients after each micro-batch"
      description="As ZeRO-2 and 3 do: the same bits as theirs, for more bytes. Off: once a step."
      checked={sync_each_batch}
      onChange={({ currentTarget }) => chooseMesh({ sync_each_batch: currentTarget.checked })}
    />
  );
}

function ScheduleChoice({ mesh, problems }: MeshProps) {
  return (
    <>
      <div>
        <Choice
          label="Schedule"
          options={PIPELINE_SCHEDULES.map((name) => [name, SCHEDULE_LABELS[name]] as const)}
          value={mesh.schedule}
          onChange={(schedule) =>
            chooseMesh({ schedule, virtual_chunks: schedule === 'interleaved' ? 2 : 1 })
          }
        />
        <Problems problems={problems.filter(({ field }) => field === 'schedule')} />
      </div>
      {mesh.schedule === 'interleaved' ? (
        <NumberField
          label="Chunks of a stage"
          value={mesh.virtual_chunks}
          range={[1, 16]}
          problem={sentences(problems, 'virtual_chunks')}
          onChange={(virtual_chunks) => chooseMesh({ virtual_chunks })}
        />
      ) : null}
    </>
  );
}

/** The batch of the recipe or of the new stage. A continued run keeps the batch that it has. */
function BatchFields({ next: { training, problems, from, next_stage } }: { next: NextRun }) {
  const { form } = useClient().stores;
  if (from) {
    const fields = ['batch_size', 'gradient_accumulation_steps'];
    return <Problems problems={problems.filter(({ field }) => field && fields.includes(field))} />;
  }
  const set = (path: FieldPath, value: number): void => {
    if (next_stage) setTrainingField(newStage, path, value);
    else setField(form, path, value);
  };
  const { stage = null } = next_stage?.form ?? {};
  return (
    <>
      <NumberField
        label="Micro-batches"
        value={training.gradient_accumulation_steps}
        range={[1, 256]}
        problem={sentences(problems, 'gradient_accumulation_steps')}
        onChange={(value) => set('training.gradient_accumulation_steps', value)}
      />
      <NumberField
        label={stage && usesPairs(stage) ? 'Pairs of each' : 'Sequences of each'}
        value={training.batch_size}
        range={[1, 512]}
        problem={sentences(problems, 'batch_size')}
        onChange={(value) => set('training.batch_size', value)}
      />
    </>
  );
}

const sentences = (
  problems: readonly LabProblem[],
  wanted: LabProblem['field'],
): string | undefined =>
  problems
    .filter(({ field }) => field === wanted)
    .map(({ message }) => message)
    .join(' ') || undefined;
