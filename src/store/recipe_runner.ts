/**
 * Carries out a recipe: starts the run of each stage from the run of its parent and waits until it
 * has ended, as a user would. The browser keeps how far it is, so that it can be continued after its
 * page was closed.
 */
import { parseRecipe, type Recipe, type RecipeStage } from '../config/stage/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { RunRecord } from '../protocol/index.ts';
import type { StartOptions } from './client_types.ts';
import { uniqueName } from './default_name.ts';
import {
  forgetRecipe,
  keepRecipe,
  lastStarted,
  type KeptMember,
  type KeptRecipe,
} from './kept_recipe.ts';
import type { LibraryStore } from './library.ts';
import type { LibraryClient } from './library_client.ts';
import type { RecipeMember, RecipeStore } from './recipe_state.ts';
import { type RunEnd, RunFollower, withoutWaiting } from './run_follower.ts';
import { isActive } from './run_state.ts';
import type { RunStateStore } from './stores.ts';

/** What a recipe needs of the client. */
export interface RecipeDriver {
  stores: { run: RunStateStore; recipe: RecipeStore; library: LibraryStore };
  library: Pick<LibraryClient, 'list'>;
  /** Starts a run and returns its id. */
  start(config: RunConfig, options: StartOptions): string;
  resume(run: string): void;
  train(): void;
  stopRun(): void;
  cancel(): void;
}

export class RecipeRunner {
  readonly store: RecipeStore;
  readonly #driver: RecipeDriver;
  #stages: readonly RecipeStage[] = [];
  /** What the recipe was read from; undefined if the browser is not to keep it. */
  #source: unknown;
  readonly #follower: RunFollower;
  #startedAt = 0;

  constructor(driver: RecipeDriver) {
    this.store = driver.stores.recipe;
    this.#driver = driver;
    this.#follower = new RunFollower(driver, (end) => this.#ended(end));
  }

  /** `source`: what the recipe was read from, if the browser is to keep how far it is. */
  start({ name, stages }: Recipe, source?: unknown): void {
    this.#begin(stages, source);
    const taken = this.#driver.stores.library.getState().runs.map((run) => run.name);
    const members = stages.map((stage): RecipeMember => {
      const unique = uniqueName(stage.name, taken);
      taken.push(unique);
      const { id } = stage;
      return { id, name: unique, status: 'waiting', run: null, problem: '', seconds: null };
    });
    this.store.setState({ name, members, running: true, ended: '' });
    this.#startNext();
  }

  /**
   * Goes on with a recipe that the browser kept: with the run of the stage that was training, from
   * its last checkpoint. A stage whose run is gone is trained again.
   */
  continue(kept: KeptRecipe): void {
    const { name, stages } = parseRecipe(kept.source);
    const { runs } = this.#driver.stores.library.getState();
    this.#begin(stages, kept.source);
    const last = lastStarted(kept);
    const members = kept.members.map((member) => keptMember(member, runs, member === last));
    this.store.setState({ name, members, running: true, ended: '' });
    const current = this.#current;
    if (current?.run) this.#follow(current, current.run);
    else this.#startNext();
  }

  #begin(stages: readonly RecipeStage[], source: unknown): void {
    this.#follower.leave();
    this.#stages = stages;
    this.#source = source;
  }

  #follow({ id }: RecipeMember, run: string): void {
    this.#startedAt = performance.now();
    this.#change(id, { status: 'training' });
    const open = this.#driver.stores.run.getState();
    const isOpen = open.run === run && isActive(open.phase);
    this.#follower.follow(() => {
      if (!isOpen) this.#driver.resume(run);
      else if (open.phase === 'paused') this.#driver.train();
      return run;
    });
  }

  /** Stops the stage that trains, which is saved, and starts no further one. */
  cancel(): void {
    if (!this.store.getState().running) return;
    this.#end('The chain was stopped.');
    this.#follower.stop();
  }

  get #current(): RecipeMember | undefined {
    return this.store.getState().members.find(({ status }) => status === 'training');
  }

  #runOf(id: string | null): string | undefined {
    return this.store.getState().members.find((member) => member.id === id)?.run ?? undefined;
  }

  #startNext(): void {
    const next = this.store.getState().members.find(({ status }) => status === 'waiting');
    const stage = this.#stages.find(({ id }) => id === next?.id);
    if (!next || !stage) {
      this.#end('');
      forgetRecipe();
      return;
    }
    const missing = this.#deletedSource(stage);
    if (missing) {
      const problem = `“${missing.name}”, which it starts from, was deleted.`;
      this.#change(next.id, { status: 'failed', problem });
      this.#end(`The chain ended because “${missing.name}” was deleted.`);
      return;
    }
    this.#driver.stores.run.setState({ notices: [] });
    this.#startedAt = performance.now();
    this.#change(next.id, { status: 'training' });
    const options = this.#options(stage, next.name);
    const run = this.#follower.follow(() => this.#driver.start(stage.config, options));
    this.#change(next.id, { run });
  }

  /** The stage whose weights or scores this one needs, if its run was deleted meanwhile. */
  #deletedSource({ parent, reward_model }: RecipeStage): RecipeMember | undefined {
    const deleted = new Set(
      this.#driver.stores.library.getState().deleted.map((record) => record.run),
    );
    return this.store
      .getState()
      .members.find(
        ({ id, run }) => (id === parent || id === reward_model) && run !== null && deleted.has(run),
      );
  }

  #options({ stage, parent, weights, reward_model }: RecipeStage, name: string): StartOptions {
    const options: StartOptions = { name };
    const from = this.#runOf(parent);
    const scoring = this.#runOf(reward_model);
    if (stage) options.stage = stage;
    if (from !== undefined) options.parent = { run: from, weights };
    if (scoring !== undefined) options.reward_model = { run: scoring };
    return options;
  }

  /** A later stage needs the earlier ones, so a recipe ends with a stage that fails. */
  #ended({ status, problem, obstacle }: RunEnd): void {
    const member = this.#current;
    if (!member) return;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const isOver = status !== 'failed' && obstacle === null;
    this.#change(member.id, { status, problem, seconds: isOver ? seconds : null });
    if (isOver) this.#later(() => this.#startNext());
    else this.#end(`The chain ended because ${obstacle ?? `“${member.name}” failed`}.`);
  }

  /** The client is still applying the event that ended the run. */
  #later(next: () => void): void {
    setTimeout(() => {
      if (!this.store.getState().running) return;
      this.#driver.library.list();
      next();
    });
  }

  #end(ended: string): void {
    const members = withoutWaiting(this.store.getState().members);
    this.store.setState({ running: false, ended, members });
    this.#keep();
    this.#driver.library.list();
  }

  #change(id: string, change: Partial<RecipeMember>): void {
    this.store.setState(({ members }) => ({
      members: members.map((one) => (one.id === id ? { ...one, ...change } : one)),
    }));
    this.#keep();
  }

  #keep(): void {
    const { name, members } = this.store.getState();
    if (this.#source !== undefined) keepRecipe(name, this.#source, members);
  }
}

/** A member of a kept recipe as it is now: over, to be resumed ('training'), or still to be started. */
function keptMember(
  { id, name, run, status }: KeptMember,
  runs: readonly RunRecord[],
  isLast: boolean,
): RecipeMember {
  const member: RecipeMember = { id, name, status: 'done', run, problem: '', seconds: null };
  const record = runs.find((one) => one.run === run);
  if (!record?.resumable) return { ...member, status: 'waiting', run: null };
  const isOver = !isLast || status === 'done' || record.step >= record.max_iters;
  return isOver ? member : { ...member, status: 'training' };
}
