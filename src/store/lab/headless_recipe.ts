/** Trains a recipe on the ranks of a mesh, without the panel: `runRecipe` of the headless hook. */
import type { Mesh, MetricRow } from '../../common/index.ts';
import type { Recipe, RecipeStage } from '../../config/stage/index.ts';
import type { ChildRun, MetricRecord } from '../../protocol/index.ts';
import { uniqueName } from '../default_name.ts';
import type { LibraryStore } from '../library.ts';
import type { LibraryClient } from '../library_client.ts';
import type { ModelsClient } from '../models_client.ts';
import type { RecipeMember, RecipeStore } from '../recipe_state.ts';
import { withoutWaiting } from '../run_follower.ts';
import { checkedMesh } from './checked_mesh.ts';
import { recordOf } from './headless_lab.ts';
import { LabClient } from './lab_client.ts';
import { plannedBytes } from './planned_bytes.ts';

/** What a recipe on ranks needs of the client. */
interface RankDriver {
  stores: { recipe: RecipeStore; library: LibraryStore };
  models: Pick<ModelsClient, 'spawn'>;
  library: Pick<LibraryClient, 'list'>;
}

export interface OnRanks {
  mesh: Partial<Mesh>;
  /** Called after each step and each evaluation. */
  record: (record: MetricRecord) => void;
}

/**
 * Trains the stages one after the other, and saves each of them, because later ones start from it.
 * Writes progress and failures to the store of recipes. Never rejects.
 */
export async function runRecipeOnRanks(
  client: RankDriver,
  { name, stages }: Recipe,
  onRanks: OnRanks,
): Promise<void> {
  const { recipe: store, library } = client.stores;
  const taken = library.getState().runs.map((run) => run.name);
  const members = stages.map((stage): RecipeMember => {
    const unique = uniqueName(stage.name, taken);
    taken.push(unique);
    return { id: stage.id, name: unique, status: 'waiting', run: null, problem: '', seconds: null };
  });
  const change = (id: string, changes: Partial<RecipeMember>): void =>
    store.setState((state) => ({
      members: state.members.map((member) =>
        member.id === id ? { ...member, ...changes } : member,
      ),
    }));
  store.setState({ name, members, running: true, ended: '' });
  const runs = new Map<string, string>();
  let ended = '';
  for (const [index, stage] of stages.entries()) {
    const { name: unique = '' } = members[index] ?? {};
    const began = performance.now();
    change(stage.id, { status: 'training' });
    try {
      const run = await trainStage(client, stage, { ...onRanks, name: unique, runs });
      runs.set(stage.id, run);
      change(stage.id, { status: 'done', run, seconds: (performance.now() - began) / 1000 });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      change(stage.id, { status: 'failed', problem });
      ended = `The recipe ended because “${unique}” failed.`;
      break;
    }
  }
  store.setState((state) => ({ running: false, ended, members: withoutWaiting(state.members) }));
  client.library.list();
}

interface StageOnRanks extends OnRanks {
  name: string;
  /** Ids of the runs of earlier stages, by stage. */
  runs: ReadonlyMap<string, string>;
}

/**
 * Trains and saves one stage, and returns the id of its run.
 *
 * @throws Error with the sentence with which its ranks failed
 */
async function trainStage(
  client: RankDriver,
  stage: RecipeStage,
  { mesh, record, name, runs }: StageOnRanks,
): Promise<string> {
  const { config } = stage;
  const lab = new LabClient({
    spawn: client.models.spawn,
    stepped: (reports, metrics) => {
      const planned = plannedBytes(lab.store.getState(), reports, metrics);
      record({ ...measured(metrics), ...recordOf(reports, planned) });
    },
    evaluated: (metrics) => record(measured(metrics)),
  });
  await lab.start({
    mesh: checkedMesh(mesh),
    config,
    files: {},
    backend: config.runtime.backend,
    name,
    from: null,
    stage: stage.stage,
    child: childOf(stage, runs),
  });
  await lab.save();
  const { failure, run } = lab.store.getState();
  lab.stop();
  if (failure) throw new Error(failure);
  return run;
}

/** What the stage takes from earlier ones; null for new weights. */
function childOf(
  { stage, parent, weights, reward_model }: RecipeStage,
  runs: ReadonlyMap<string, string>,
): ChildRun | null {
  const runOf = (id: string | null): string | undefined => runs.get(id ?? '');
  const from = runOf(parent);
  if (from === undefined) return null;
  const scoring = runOf(reward_model);
  return {
    stage,
    parent: { run: from, weights },
    reward_model: scoring === undefined ? undefined : { run: scoring },
  };
}

/** The metrics of a row that were measured. */
function measured({ step, ...metrics }: MetricRow): MetricRecord {
  const record: MetricRecord = { step };
  for (const [name, value] of Object.entries(metrics)) {
    if (value !== undefined && Number.isFinite(value)) record[name] = value;
  }
  return record;
}
