/**
 * Starts runs one after the other and follows each until it ends, as a user would: for sweeps and
 * recipes. The page may do anything meanwhile, such as opening another run.
 */
import type { PlainError } from '../protocol/index.ts';
import type { RunState } from './run_state.ts';
import type { RunStateStore } from './stores.ts';
import type { MemberStatus } from './sweep_state.ts';

/** What following a run needs of the client. */
export interface FollowedClient {
  stores: { run: RunStateStore };
  stopRun(): void;
  cancel(): void;
}

/** How a run ended. */
export interface RunEnd {
  status: Extract<MemberStatus, 'done' | 'stopped' | 'failed'>;
  /** Why it failed, and what to do. */
  problem: string;
  /** Why no further run can follow, as the end of a sentence; null if one can. */
  obstacle: string | null;
}

export class RunFollower {
  readonly #client: FollowedClient;
  readonly #onEnd: (end: RunEnd) => void;
  #stopListening: () => void = () => undefined;
  /** The run that is followed; null while it is being started and after it has ended. */
  #run: string | null = null;
  /** It was seen in the worker. */
  #wasSeen = false;
  /** The state that it was started from: the run before it may have to be saved first. */
  #before: Pick<RunState, 'run' | 'error'> = { run: null, error: null };

  constructor(client: FollowedClient, onEnd: (end: RunEnd) => void) {
    this.#client = client;
    this.#onEnd = onEnd;
  }

  /** Starts a run, whose id `start` returns, and follows it. */
  follow(start: () => string): string {
    const { run: store } = this.#client.stores;
    this.leave();
    this.#stopListening = store.subscribe((state) => this.#heed(state));
    this.#wasSeen = false;
    this.#before = store.getState();
    // `start` changes the state of the run, which is heard before its id is known.
    this.#run = start();
    // A run that is resumed may be the one that is open.
    if (this.#before.run === this.#run) this.#before = { ...this.#before, run: null };
    return this.#run;
  }

  /** Follows no longer; the run goes on. */
  leave(): void {
    this.#stopListening();
    this.#stopListening = () => undefined;
    this.#run = null;
  }

  /** Follows no longer and stops the run, which is saved, or cancels its preparation. */
  stop(): void {
    const { phase, run } = this.#client.stores.run.getState();
    this.leave();
    if (this.#wasSeen && run) this.#client.stopRun();
    else if (phase === 'preparing' || phase === 'compiling') this.#client.cancel();
  }

  #heed({ run, phase, finished, error, opening }: RunState): void {
    if (this.#run === null) return;
    if (run !== null && run === this.#before.run) {
      if (error === null || error === this.#before.error) return;
      this.#end('failed', problemOf(error), 'the run before could not be saved');
      return;
    }
    if (run !== null && run !== this.#run) {
      this.#end('stopped', '', 'another run was opened');
      return;
    }
    // A run that is resumed may still be shown as ended.
    this.#wasSeen ||= run === this.#run && phase !== 'done';
    if (phase === 'failed') this.#end('failed', error ? problemOf(error) : 'The run failed.');
    else if (this.#wasSeen && phase === 'done') {
      this.#end(finished === 'stopped' ? 'stopped' : 'done', '');
    } else if (phase === 'idle' && !opening) this.#end('stopped', '', 'its run was cancelled');
  }

  #end(status: RunEnd['status'], problem: string, obstacle: string | null = null): void {
    this.leave();
    this.#onEnd({ status, problem, obstacle });
  }
}

const problemOf = ({ message, hint }: PlainError): string => `${message} ${hint}`.trim();

/** Members as they are once no further run is started. */
export function withoutWaiting<M extends { status: MemberStatus }>(members: readonly M[]): M[] {
  return members.map((member): M => {
    const isOver = member.status !== 'waiting' && member.status !== 'training';
    return isOver ? member : { ...member, status: 'stopped' };
  });
}
