/**
 * A sweep: one field with several values, each an ordinary run, trained one after the other. It
 * drives the client as a user would: starts a run, waits until it has ended, starts the next.
 */
import { withField, type FieldPath, type FieldValue, type RunConfig } from '../config/index.ts';
import type { StartOptions } from './client_types.ts';
import type { LibraryStore } from './library.ts';
import type { LibraryClient } from './library_client.ts';
import { describeField, uniqueName } from './default_name.ts';
import { type RunEnd, RunFollower, withoutWaiting } from './run_follower.ts';
import type { RunStateStore } from './stores.ts';
import type { SweepMember, SweepStore } from './sweep_state.ts';

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
  readonly #follower: RunFollower;
  #config: RunConfig | null = null;

  constructor(driver: SweepDriver) {
    this.store = driver.stores.sweep;
    this.#driver = driver;
    this.#follower = new RunFollower(driver, (end) => this.#ended(end));
  }

  start({ config, name, path, values }: SweepPlan): void {
    this.#follower.leave();
    const taken = this.#driver.stores.library.getState().runs.map((run) => run.name);
    const members = values.map((value): SweepMember => {
      const member = memberName(name, withField(config, path, value), path);
      const status = 'waiting';
      return { value, name: uniqueName(member, taken), status, run: null, problem: '' };
    });
    this.#config = config;
    this.store.setState({ path, members, running: true, ended: '' });
    this.#startNext();
  }

  /** Stops the run that trains, which is saved, and starts no further one. */
  cancel(): void {
    if (!this.store.getState().running) return;
    this.#end('The sweep was cancelled.');
    this.#follower.stop();
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
    this.#change(next, { status: 'training' });
    const config = withField(this.#config, path, next.value);
    const run = this.#follower.follow(() => this.#driver.start(config, { name: next.name }));
    this.#change(next, { run });
  }

  /** The next member starts later: the client is still applying the event that ended this one. */
  #ended({ status, problem, obstacle }: RunEnd): void {
    const member = this.#current;
    if (!member) return;
    this.#change(member, { status, problem });
    if (obstacle !== null) {
      this.#end(`The sweep ended because ${obstacle}.`);
      return;
    }
    setTimeout(() => {
      if (!this.store.getState().running) return;
      if (member.run && status !== 'failed') void this.#driver.library.loadHistories([member.run]);
      this.#driver.library.list();
      this.#startNext();
    });
  }

  #end(ended: string): void {
    const members = withoutWaiting(this.store.getState().members);
    this.store.setState({ running: false, ended, members });
    this.#driver.library.list();
  }

  #change(member: SweepMember, change: Partial<SweepMember>): void {
    this.store.setState(({ members }) => ({
      members: members.map((one) => (one.name === member.name ? { ...one, ...change } : one)),
    }));
  }
}
