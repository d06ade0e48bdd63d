/** Starts the run of a new stage. */
import type { StageConfig } from '../../config/stage/index.ts';
import type { RunConfig } from '../../config/index.ts';
import type { ChildRun, PlainError, RunRecord } from '../../protocol/index.ts';
import type { StartOptions } from '../client_types.ts';
import { uniqueName } from '../default_name.ts';
import type { LibraryStore } from '../library.ts';
import type { RunStateStore } from '../stores.ts';
import type { NewStageState } from './new_stage.ts';
import { defaultStageName } from './stage_name.ts';

/** What starting needs of the client. */
interface Starter {
  stores: { library: LibraryStore; run: RunStateStore };
  start(config: RunConfig, options: StartOptions): string;
}

/** Returns the id of the run, or null if the form has no configuration yet. */
export function startStage(client: Starter, form: NewStageState, parent: RunRecord): string | null {
  const { config, stage, name } = form;
  if (!config) return null;
  const taken = client.stores.library.getState().runs.map((record) => record.name);
  const typed = name.trim();
  const options: StartOptions = {
    name: typed ? uniqueName(typed, taken) : defaultStageName(parent, stage, taken),
    ...childRun(form, parent),
  };
  // Notices about the run before do not concern the stage.
  client.stores.run.setState({ notices: [] });
  return client.start(config, options);
}

/** What the stage of the form takes from its parent. */
export function childRun(
  { stage, rewardModel, file }: NewStageState,
  parent: RunRecord,
): ChildRun & { stage: StageConfig } {
  const child: ChildRun & { stage: StageConfig } = { stage, parent: { run: parent.run } };
  if (usesRewardModel(stage) && rewardModel !== null) child.reward_model = { run: rewardModel };
  if (stage.dataset.task === 'own' && file) child.dataset = file;
  return child;
}

/**
 * Calls `onFailure` if the run is refused before it has begun, such as for a line of its file. Gives
 * up once a run has begun or the start was cancelled.
 */
export function watchStart(
  { stores: { run } }: Pick<Starter, 'stores'>,
  id: string,
  onFailure: (error: PlainError) => void,
): void {
  const before = run.getState().run;
  const stop = run.subscribe((state) => {
    if (state.run !== null && state.run !== before) {
      stop();
    } else if (state.error !== null && !state.opening) {
      stop();
      onFailure(state.error);
    } else if (state.phase === 'idle' && !state.opening) {
      stop();
    }
  });
  if (run.getState().run === id) stop();
}

const usesRewardModel = ({ objective, ppo }: StageConfig): boolean =>
  objective === 'ppo' && ppo.score === 'reward_model';
