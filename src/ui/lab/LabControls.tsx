/** Starts, pauses and ends the ranks, saves their run, and says how it goes. */
import { Button } from '@mantine/core';
import {
  IconDeviceFloppy,
  IconPlayerPause,
  IconPlayerPlay,
  IconPlayerStop,
} from '@tabler/icons-react';
import {
  bytes,
  count,
  lossText,
  newRunName,
  openedFiles,
  type Client,
  type RunRecord,
  type RunState,
} from '../../store/index.ts';
import {
  hasRanks,
  isIdle,
  mayPause,
  type LabClient,
  type LabState,
  unsavedSteps,
  unsavedWhileTraining,
} from '../../store/lab/index.ts';
import { defaultStageName, withoutMesh } from '../../store/stages/stage_name.ts';
import { childRun } from '../../store/stages/start_stage.ts';
import { meshName } from '../../plan/parallel/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { useChoices } from './choices.ts';
import { ranks } from '../plan/words.ts';
import { useLab, useLabClient } from './lab.ts';
import { continuedRun, type NextRun, type NextStage, useContinuable } from './useLabRun.ts';

export function LabControls({ next }: { next: NextRun }) {
  const state = useLab((lab) => lab);
  const unsaved = unsavedWhileTraining(state);
  return (
    <section className="form-section lab-controls" aria-label="Ranks">
      <p className="lab-sentence" role="status" data-testid="lab-sentence">
        {sentenceOf(state)}
      </p>
      {state.failure ? (
        <p className="field-problem" role="alert" data-testid="lab-failure">
          {state.failure}
        </p>
      ) : null}
      {[...new Set(state.notices)].map((notice) => (
        <p key={notice} className="small lab-warning" role="status">
          {notice}
        </p>
      ))}
      <Buttons next={next} state={state} />
      {unsaved ? (
        <p className="small muted" data-testid="lab-unsaved">
          {unsaved}
        </p>
      ) : null}
      {state.save_problem ? (
        <p className="field-problem" role="alert" data-testid="lab-save-problem">
          The run could not be saved. {state.save_problem}
        </p>
      ) : null}
      {state.saved ? (
        <p className="small muted">
          Saved as {state.name} at step {count(state.saved.step)} ({bytes(state.saved.bytes)}), as
          any run is.{' '}
          <button type="button" className="link" onClick={() => goTo({ dialog: 'library' })}>
            Open the list of runs
          </button>
        </p>
      ) : null}
    </section>
  );
}

function Buttons({ next, state }: { next: NextRun; state: LabState }) {
  const lab = useLabClient();
  const { phase } = state;
  return (
    <div className="lab-buttons">
      {hasRanks(state) ? null : <StartButtons next={next} lab={lab} state={state} />}
      {mayPause(state) || phase === 'pausing' ? (
        <Button
          size="sm"
          leftSection={<IconPlayerPause size={16} />}
          loading={phase === 'pausing'}
          onClick={() => lab.pause()}
        >
          Pause
        </Button>
      ) : null}
      {phase === 'paused' ? (
        <Button
          size="sm"
          leftSection={<IconPlayerPlay size={16} />}
          onClick={() => void lab.resume()}
        >
          Continue
        </Button>
      ) : null}
      {isIdle(state) || phase === 'saving' ? (
        <Button
          size="sm"
          variant="default"
          leftSection={<IconDeviceFloppy size={16} />}
          loading={phase === 'saving'}
          onClick={() => void lab.save()}
        >
          Save as a run
        </Button>
      ) : null}
      {hasRanks(state) ? (
        <Button
          size="sm"
          variant="default"
          leftSection={<IconPlayerStop size={16} />}
          onClick={() => lab.stop()}
        >
          End the ranks
        </Button>
      ) : null}
    </div>
  );
}

interface StartProps {
  next: NextRun;
  lab: LabClient;
  state: LabState;
}

function StartButtons({ next, lab, state: { run, saved } }: StartProps) {
  const ended = useContinuable().find((record) => record.run === run);
  // If it is what is chosen, the button that starts the ranks continues it.
  const from = saved && next.from?.run !== run ? ended : undefined;
  return (
    <>
      {from ? <ContinueButton continued={continuedRun(next.mesh, from)} from={from} /> : null}
      <StartButton next={next} lab={lab} isSecond={from !== undefined} />
    </>
  );
}

/** Continues the run that has ended from its last save, on the mesh that is chosen. */
function ContinueButton({ continued, from }: { continued: NextRun; from: RunRecord }) {
  const client = useClient();
  const lab = useLabClient();
  return (
    <Button
      size="sm"
      leftSection={<IconPlayerPlay size={16} />}
      disabled={continued.problems.length > 0}
      onClick={() => {
        useChoices.setState({ from: from.run });
        startRanks(client, lab, continued);
      }}
    >
      Continue from step {count(from.step)}
    </Button>
  );
}

interface StartButtonProps {
  next: NextRun;
  lab: LabClient;
  /** Whether the button beside it is what is likely wanted. */
  isSecond: boolean;
}

function StartButton({ next, lab, isSecond }: StartButtonProps) {
  const client = useClient();
  const problem = useStartProblem(next);
  return (
    <>
      <Button
        size="sm"
        variant={isSecond ? 'default' : 'filled'}
        leftSection={<IconPlayerPlay size={16} />}
        disabled={problem !== ''}
        aria-describedby={problem ? 'lab-start-problem' : undefined}
        onClick={() => startRanks(client, lab, next)}
      >
        Start {ranks(next.mesh.dp * next.mesh.tp * next.mesh.pp)}
      </Button>
      {problem ? (
        <p className="small muted" id="lab-start-problem">
          {problem}
        </p>
      ) : null}
    </>
  );
}

/** Why ranks cannot be started now, in a sentence; '' if they can. */
function useStartProblem({ problems, from, next_stage }: NextRun): string {
  const isMissing = useForm(
    ({ config, text, tokenizerJson }) =>
      (config.data.corpus === 'own' && text === null) ||
      (config.tokenizer.kind === 'imported' && tokenizerJson === null),
  );
  const isOpening = useRun(isOpeningDevice);
  const isMarked = problems.length > 0 || (next_stage?.problems.length ?? 0) > 0;
  if (isMarked) return 'First change what is marked above.';
  if (isOpening) return 'Wait a moment: the page is still opening its device.';
  const isRecipe = !from && !next_stage;
  if (isRecipe && isMissing) return 'First open the text and the tokenizer of the recipe.';
  return '';
}

/** Ranks would take the processor of a device that has a GPU. */
const isOpeningDevice = ({ device, connection, error }: RunState): boolean =>
  device === null && connection !== 'dead' && error === null;

function startRanks(client: Client, lab: LabClient, next: NextRun): void {
  const { mesh, config, from, next_stage, stage } = next;
  const { stores } = client;
  const form = stores.form.getState();
  const onGpu = stores.run.getState().device?.backend === 'webgpu';
  const own_name = next_stage ? stageName(next_stage) : newRunName(form, stores);
  const name = from ? withoutMesh(from.name) : own_name;
  void lab.start({
    ...{ mesh, config, stage },
    files: openedFiles(form, config),
    backend: onGpu ? 'webgpu' : 'wasm',
    name: `${name}, ${meshName(mesh)}`,
    from: from ? { run: from.run, name: from.name, step: from.step } : null,
    child: next_stage ? childRun(next_stage.form, next_stage.parent) : null,
  });
}

const stageName = ({ form, parent }: NextStage): string =>
  form.name.trim() || defaultStageName(parent, form.stage);

function sentenceOf(state: LabState): string {
  const { phase, step, config, mesh } = state;
  const steps = count(config?.training.max_iters ?? 0);
  const loss = state.recent.at(-1)?.[0]?.loss;
  const at =
    `Step ${count(step)} of ${steps}` + (loss === undefined ? '.' : `. Loss ${lossText(loss)}.`);
  const all = ranks(mesh.dp * mesh.tp * mesh.pp);
  switch (phase) {
    case 'empty':
      return 'No ranks yet.';
    case 'opening':
      return state.stage
        ? `Starting ${all}: each prepares the examples, and builds its part of the model.`
        : `Starting ${all}: rank 0 prepares the text, and each builds its part of the model.`;
    case 'training':
      return at;
    case 'evaluating':
      return `${at} Measuring the validation loss.`;
    case 'pausing':
      return `${at} Pausing after this step.`;
    case 'paused':
      return `Paused. ${at}`;
    case 'saving':
    case 'autosaving':
      return `${at} Gathering the checkpoint on rank 0.`;
    case 'done':
      return `Done. ${at}`;
    case 'stopped':
      return `The ranks were ended. ${at} ${unsavedSteps(state)}`.trim();
    case 'failed':
      return `Failed. ${at}`;
    default:
      return phase satisfies never;
  }
}
