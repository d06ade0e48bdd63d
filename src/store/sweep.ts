/**
 * A sweep: one field with several values, each an ordinary run, trained one after the other. It
 * drives the client as a user would: starts a run, waits until it has ended, starts the next.
 */
import { withField, type FieldPath, type FieldValue, type RunConfig } from '../config/index.ts';
import type { StartOptions } from './client_types.ts';
import type { LibraryStore } from './library.ts';
import type { LibraryClient } from './library_client.ts';
import { describeField, uniqueName } from './default_name.ts';
import type { RunState } from './run_state.ts';
import type { RunStateStore } from './stores.ts';
import type { MemberStatus, SweepMember, SweepStore } from './sweep_state.ts';

/** "Names, lr 0.01" */
export const memberName = (base: string, config: RunConfig, path: FieldPath): string =>
  `${base}, ${describeField(config, path)}`;

/** What a sweep needs of the client. */
export interface SweepDriver {
  stores: { run: RunStateStore; sweep: SweepStore; library: LibraryStore };
  library: Pick<LibraryClient, 'list' | 'loadHistories'>;
  /** Starts a run and returns its id. */
  start(config: RunConfig, options: StartOptions): string;
  stopRun(): void;
  cancel(): void;
}

export interface SweepPlan {
  config: RunConfig;
  /** The first part of the members' names. */
  name: string;
  path: FieldPath;
  values: readonly FieldValue[];
}

export class Sweep {
  readonly store: SweepStore;
  readonly #driver: SweepDriver;
  #stopListening: () => void = () => undefined;
  #config: RunConfig | null = null;
  /** The run of the member that trains was seen in the worker. */
  #wasSeen = false;
  /** The state that the present member was started from: the run before it may be saved first. */
  #before: Pick<RunState, 'run' | 'error'> = { run: null, error: null };

  constructor(driver: SweepDriver) {
    this.store = driver.stores.sweep;
    this.#driver = driver;
  }

  start({ config, name, path, values }: SweepPlan): void {
    this.#stopListening();
    const taken = this.#driver.stores.library.getState().runs.map((run) => run.name);
    const members = values.map((value): SweepMember => {
      const member = memberName(name, withField(config, path, value), path);
      const status = 'waiting';
      return { value, name: uniqueName(member, taken), status, run: null, problem: '' };
    });
    this.#config = config;
    this.store.setState({ path, members, running: true, ended: '' });
    this.#stopListening = this.#driver.stores.run.subscribe((state) => this.#follow(state));
    this.#startNext();
  }

  /** Stops the run that trains, which is saved, and starts no further one. */
  cancel(): void {
    if (!this.store.getState().running) return;
    const { phase, run } = this.#driver.stores.run.getState();
    this.#end('The sweep was cancelled.');
    if (this.#wasSeen && run) this.#driver.stopRun();
    else if (phase === 'preparing' || phase === 'compiling') this.#driver.cancel();
  }

  get #current(): SweepMember | undefined {
    return this.store.getState().members.find(({ status }) => status === 'training');
  }

  #startNext(): void {
    const { path, members } = this.store.getState();
    const next = members.find(({ status }) => status === 'waiting');
    if (!next || !path || !this.#config) {
      this.#end('');
      return;
    }
    this.#wasSeen = false;
    this.#before = this.#driver.stores.run.getState();
    // The status is set first: `start` changes the run's state, which `#follow` hears.
    this.#change(next, { status: 'training' });
    const config = withField(this.#config, path, next.value);
    const run = this.#driver.start(config, { name: next.name });
    const training = this.#current;
    if (training) this.#change(training, { run });
  }

  #follow({ run, phase, finished, error, opening }: RunState): void {
    const member = this.#current;
    if (!member?.run) return;
    if (run !== null && run === this.#before.run) {
      if (error === null || error === this.#before.error) return;
      this.#change(member, { status: 'failed', problem: error.message });
      this.#end('The sweep ended because the run before could not be saved.');
      return;
    }
    if (run !== null && run !== member.run) {
      this.#change(member, { status: 'stopped' });
      this.#end('The sweep ended because another run was opened.');
      return;
    }
    this.#wasSeen ||= run === member.run;
    if (phase === 'failed') this.#ended(member, 'failed', error?.message ?? 'The run failed.');
    else if (this.#wasSeen && phase === 'done') {
      this.#ended(member, finished === 'stopped' ? 'stopped' : 'done', '');
    } else if (phase === 'idle' && !opening) {
      this.#change(member, { status: 'stopped' });
      this.#end('The sweep ended because its run was cancelled.');
    }
  }

  /** The next member starts later: the client is still applying the event that ended this one. */
  #ended(member: SweepMember, status: MemberStatus, problem: string): void {
    this.#change(member, { status, problem });
    setTimeout(() => {
      if (!this.store.getState().running) return;
      if (member.run && status !== 'failed') void this.#driver.library.loadHistories([member.run]);
      this.#driver.library.list();
      this.#startNext();
    });
  }

  #end(ended: string): void {
    this.#stopListening();
    this.#stopListening = () => undefined;
    const members = this.store.getState().members.map((member): SweepMember => {
      const isOver = member.status !== 'waiting' && member.status !== 'training';
      return isOver ? member : { ...member, status: 'stopped' };
    });
    this.store.setState({ running: false, ended, members });
    this.#driver.library.list();
  }

  #change(member: SweepMember, change: Partial<SweepMember>): void {
    this.store.setState(({ members }) => ({
      members: members.map((one) => (one.name === member.name ? { ...one, ...change } : one)),
    }));
  }
}
