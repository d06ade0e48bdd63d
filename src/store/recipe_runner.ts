/**
 * Carries out a recipe: starts the run of each stage from the run of its parent and waits until it
 * has ended, as a user would.
 */
import type { Recipe, RecipeStage } from '../config/stage/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { StartOptions } from './client_types.ts';
import { uniqueName } from './default_name.ts';
import type { LibraryStore } from './library.ts';
import type { LibraryClient } from './library_client.ts';
import type { RecipeMember, RecipeStore } from './recipe_state.ts';
import type { RunState } from './run_state.ts';
import type { RunStateStore } from './stores.ts';

/** What a recipe needs of the client. */
export interface RecipeDriver {
  stores: { run: RunStateStore; recipe: RecipeStore; library: LibraryStore };
  library: Pick<LibraryClient, 'list'>;
  /** Starts a run and returns its id. */
  start(config: RunConfig, options: StartOptions): string;
  stopRun(): void;
  cancel(): void;
}

export class RecipeRunner {
  readonly store: RecipeStore;
  readonly #driver: RecipeDriver;
  #stages: readonly RecipeStage[] = [];
  #stopListening: () => void = () => undefined;
  #startedAt = 0;
  /** The run of the stage that trains was seen in the worker. */
  #wasSeen = false;
  /** The run before it, which may still have to be saved. */
  #before: Pick<RunState, 'run' | 'error'> = { run: null, error: null };

  constructor(driver: RecipeDriver) {
    this.store = driver.stores.recipe;
    this.#driver = driver;
  }

  start({ name, stages }: Recipe): void {
    this.#stopListening();
    this.#stages = stages;
    const taken = this.#driver.stores.library.getState().runs.map((run) => run.name);
    const members = stages.map((stage): RecipeMember => {
      const unique = uniqueName(stage.name, taken);
      taken.push(unique);
      const { id } = stage;
      return { id, name: unique, status: 'waiting', run: null, problem: '', seconds: null };
    });
    this.store.setState({ name, members, running: true, ended: '' });
    this.#stopListening = this.#driver.stores.run.subscribe((state) => this.#follow(state));
    this.#startNext();
  }

  /** Stops the stage that trains, which is saved, and starts no further one. */
  cancel(): void {
    if (!this.store.getState().running) return;
    const { phase, run } = this.#driver.stores.run.getState();
    this.#end('The recipe was cancelled.');
    if (this.#wasSeen && run) this.#driver.stopRun();
    else if (phase === 'preparing' || phase === 'compiling') this.#driver.cancel();
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
      return;
    }
    this.#wasSeen = false;
    this.#driver.stores.run.setState({ notices: [] });
    this.#before = this.#driver.stores.run.getState();
    this.#startedAt = performance.now();
    // The status is set first: `start` changes the run's state, which `#follow` hears.
    this.#change(next.id, { status: 'training' });
    const run = this.#driver.start(stage.config, this.#options(stage, next.name));
    this.#change(next.id, { run });
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

  #follow({ run, phase, finished, error, opening }: RunState): void {
    const member = this.#current;
    if (!member?.run) return;
    if (run !== null && run === this.#before.run) {
      if (error === null || error === this.#before.error) return;
      this.#change(member.id, { status: 'failed', problem: error.message });
      this.#end('The recipe ended because the run before could not be saved.');
      return;
    }
    if (run !== null && run !== member.run) {
      this.#change(member.id, { status: 'stopped' });
      this.#end('The recipe ended because another run was opened.');
      return;
    }
    this.#wasSeen ||= run === member.run;
    if (phase === 'failed') {
      this.#change(member.id, { status: 'failed', problem: error?.message ?? 'The run failed.' });
      this.#end(`The recipe ended because “${member.name}” failed.`);
    } else if (this.#wasSeen && phase === 'done') {
      this.#done(member, finished === 'stopped');
    } else if (phase === 'idle' && !opening) {
      this.#change(member.id, { status: 'stopped' });
      this.#end('The recipe ended because its run was cancelled.');
    }
  }

  /** The next stage starts later: the client is still applying the event that ended this one. */
  #done(member: RecipeMember, stopped: boolean): void {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    this.#change(member.id, { status: stopped ? 'stopped' : 'done', seconds });
    setTimeout(() => {
      if (!this.store.getState().running) return;
      this.#driver.library.list();
      this.#startNext();
    });
  }

  #end(ended: string): void {
    this.#stopListening();
    this.#stopListening = () => undefined;
    const members = this.store.getState().members.map((member): RecipeMember => {
      const isOver = member.status !== 'waiting' && member.status !== 'training';
      return isOver ? member : { ...member, status: 'stopped' };
    });
    this.store.setState({ running: false, ended, members });
    this.#driver.library.list();
  }

  #change(id: string, change: Partial<RecipeMember>): void {
    this.store.setState(({ members }) => ({
      members: members.map((one) => (one.id === id ? { ...one, ...change } : one)),
    }));
  }
}
