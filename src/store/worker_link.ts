/**
 * The page's connection to one worker at a time: starts it, matches answers to requests by their
 * ids, and notices when it dies or no longer answers.
 */
import type { Command, Event, PagePort, PlainError } from '../protocol/index.ts';
import { WorkerWatch } from './watch.ts';

/** The event that answers each request. */
const ANSWERS = {
  save: 'saved',
  release: 'released',
  import: 'importing',
  profile: 'profile',
  tokenize: 'tokens',
  export: 'exported',
  load_history: 'history',
  compare: 'comparison',
  rename_run: 'runs',
  duplicate_run: 'runs',
  delete_runs: 'runs',
  restore_runs: 'runs',
  purge_runs: 'runs',
  set_budget: 'runs',
  back_up: 'backup',
  restore_backup: 'backup_restored',
  open_model: 'model_opened',
  close_model: 'model_closed',
  chat: 'chat_done',
  evaluate: 'evaluated',
  score: 'scores',
  vote: 'votes',
  undo_vote: 'votes',
  read_votes: 'votes',
  read_rollouts: 'rollouts',
  read_evaluations: 'evaluations',
  draw_prompts: 'prompts',
  inspect: 'inspected',
  open_rank: 'rank_opened',
  train_rank: 'rank_trained',
  evaluate_rank: 'rank_evaluated',
  save_rank: 'rank_saved',
  train_round: 'round_trained',
  end_rounds: 'rounds_ended',
  keep_pool: 'pool_kept',
  read_pool: 'pool',
} as const satisfies Partial<Record<Command['type'], Event['type']>>;

/** Events with the id of a command that do not answer it. */
const BEFORE_ANSWER: ReadonlySet<Event['type']> = new Set(['pong', 'token']);

type RequestType = keyof typeof ANSWERS;
type Request = Extract<Command, { type: RequestType }>;
type AnswerTo<T extends RequestType> = Extract<Event, { type: (typeof ANSWERS)[T] }>;

const isAnswerTo = <T extends RequestType>(type: T, event: Event): event is AnswerTo<T> =>
  event.type === ANSWERS[type];

/** The worker refused a request. */
export class RequestError extends Error {
  constructor(readonly plain: PlainError) {
    super(`${plain.message} ${plain.hint}`);
  }
}

export interface LinkListener {
  /** Every event of the current worker, except errors that reject a request. */
  event(event: Event): void;
  /** A worker was started. */
  started(): void;
  /** The worker stopped answering pings, or answers them again. */
  silent(silent: boolean): void;
  /** The worker ended unexpectedly. */
  died(reason: string): void;
}

interface Pending {
  resolve: (event: Event) => void;
  reject: (error: Error) => void;
}

export class WorkerLink {
  readonly #spawn: () => PagePort;
  readonly #listener: LinkListener;
  readonly #watch: WorkerWatch;
  readonly #pending = new Map<number, Pending>();
  #port: PagePort | null = null;
  #lastId = 0;

  constructor(spawn: () => PagePort, listener: LinkListener) {
    this.#spawn = spawn;
    this.#listener = listener;
    this.#watch = new WorkerWatch(
      (id) => this.#port?.send({ type: 'ping', id }),
      (silent) => listener.silent(silent),
    );
  }

  /** There is a worker. */
  get isOpen(): boolean {
    return this.#port !== null;
  }

  /** A new id for a command. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** Sends a command, to a new worker if there is none. */
  send(command: Command): void {
    (this.#port ?? this.#open()).send(command);
  }

  /**
   * Sends the command that `make` returns for a new id, and resolves to its answer. Rejects with a
   * RequestError if the worker refuses it, and with an Error if the worker ends before it answers.
   */
  async request<C extends Request>(make: (id: number) => C): Promise<AnswerTo<C['type']>> {
    const id = this.nextId();
    const command = make(id);
    const answered = new Promise<Event>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    this.send(command);
    const answer = await answered;
    const type: C['type'] = command.type;
    if (isAnswerTo(type, answer)) return answer;
    throw new Error(`The worker answered ${command.type} with ${answer.type}.`);
  }

  /** Ends the worker at once. `reason` is the sentence that pending requests are rejected with. */
  close(reason = 'The training worker was ended before it could answer. Try again.'): void {
    this.#watch.stop();
    this.#port?.close();
    this.#port = null;
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
  }

  #open(): PagePort {
    const port = this.#spawn();
    this.#port = port;
    // What a worker still says after it was ended is ignored.
    port.onEvent((event) => {
      if (this.#port === port) this.#receive(event);
    });
    port.onDeath((reason) => {
      if (this.#port !== port) return;
      this.close(`The training worker stopped by itself (${reason}).`);
      this.#listener.died(reason);
    });
    this.#listener.started();
    this.#watch.start();
    return port;
  }

  #receive(event: Event): void {
    this.#watch.heard();
    const id = 'id' in event ? event.id : undefined;
    const pending = id === undefined || BEFORE_ANSWER.has(event.type) ? undefined : this.#take(id);
    if (pending && event.type === 'error') {
      pending.reject(new RequestError(event.error));
      return;
    }
    this.#listener.event(event);
    pending?.resolve(event);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}
