/** What the stage will be, what it takes, what is wrong with it, and the button that starts it. */
import { Button, TextInput } from '@mantine/core';
import { IconPlayerPlayFilled } from '@tabler/icons-react';
import { objectiveLabel, type StageProblem } from '../../config/stage/index.ts';
import { count, isMoving, type RunRecord } from '../../store/index.ts';
import { startStage, watchStart } from '../../store/stages/start_stage.ts';
import { isOfFile, newStage } from '../../store/stages/new_stage.ts';
import { defaultStageName } from '../../store/stages/stage_name.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { goTo, goToModels } from '../place.ts';
import { OnRanks } from './OnRanks.tsx';
import { StageCost } from './StageCost.tsx';
import { useNewStage } from './useNewStage.ts';

interface StartProps {
  parent: RunRecord;
  problems: readonly StageProblem[];
}

export function StartStage({ parent, problems }: StartProps) {
  const client = useClient();
  const moving = useRun((state) => isMoving(state.phase) || state.opening);
  const stage = useNewStage((state) => state.stage);
  const name = useNewStage((state) => state.name);
  const failure = useNewStage((state) => state.failure);
  const planned = usePlannedName(parent);
  const [problem] = problems;
  const start = (): void => {
    if (problem || moving) return;
    goTo({ at: 'workspace', tab: 'charts', subject: null });
    newStage.setState({ failure: null });
    const id = startStage(client, newStage.getState(), parent);
    if (id === null) return;
    watchStart(client, id, (failure) => {
      client.dismissError();
      newStage.setState({ failure });
      goToModels('new_stage', parent.run);
    });
  };
  const isBesideFile = stage.dataset.task === 'own' && failure !== null && isOfFile(failure);
  const reason = whyNot(problem, moving);
  return (
    <aside className="start-stage" aria-label="Start">
      <TextInput
        label="Name"
        size="sm"
        maxLength={80}
        placeholder={planned}
        value={name}
        onChange={(event) => newStage.setState({ name: event.currentTarget.value })}
      />
      <Facts parent={parent} />
      <StageCost />
      {reason ? (
        <p className={problem ? 'field-problem' : 'small muted'} role="status">
          {reason}
        </p>
      ) : null}
      {failure && !reason ? (
        <p className="field-problem" role="alert">
          It could not begin.{' '}
          {isBesideFile ? 'The reason is above.' : `${failure.message} ${failure.hint}`}
        </p>
      ) : null}
      <Button
        leftSection={<IconPlayerPlayFilled size={15} />}
        aria-disabled={reason !== ''}
        data-disabled={reason !== '' || undefined}
        title={reason || undefined}
        onClick={start}
        fullWidth
      >
        Train this stage
      </Button>
      <OnRanks />
    </aside>
  );
}

/** The name that the run gets if the user types none. */
function usePlannedName(parent: RunRecord): string {
  const stage = useNewStage((state) => state.stage);
  const runs = useLibrary((state) => state.runs);
  return defaultStageName(
    parent,
    stage,
    runs.map(({ name }) => name),
  );
}

function whyNot(problem: StageProblem | undefined, moving: boolean): string {
  if (problem) return `${problem.message} ${problem.hint}`;
  return moving ? 'A run is training. Pause it or wait; then this stage can start.' : '';
}

function Facts({ parent }: { parent: RunRecord }) {
  const objective = useNewStage((state) => state.stage.objective);
  const training = useNewStage((state) => state.config?.training);
  return (
    <dl className="facts">
      <div>
        <dt>From</dt>
        <dd>{parent.name}</dd>
      </div>
      <div>
        <dt>Learns</dt>
        <dd>{objectiveLabel(objective).name}</dd>
      </div>
      <div>
        <dt>Steps</dt>
        <dd>{count(training?.max_iters ?? NaN)}</dd>
      </div>
    </dl>
  );
}
