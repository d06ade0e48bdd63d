/** Runs a comparison: one contender after the other, each in a worker of its own. */
import type { BackendName } from '../config/index.ts';
import type { CompareCommand, CompareMode, ComparisonRow, PagePort } from '../protocol/index.ts';
import type { CompareStore, Contender } from './compare.ts';
import { WorkerLink } from './worker_link.ts';

type Recipe = Omit<CompareCommand, 'id' | 'mode'>;

/** Starts the worker that a contender runs in. */
export type SpawnContender = (contender: Contender) => PagePort;

/** Stock TensorFlow.js runs in another worker than the ways to train of this page. */
export const spawnEither =
  (spawn: () => PagePort, spawnStock: () => PagePort): SpawnContender =>
  ({ mode }) =>
    mode === 'stock' ? spawnStock() : spawn();

/** At most one comparison at a time. */
export class Comparison {
  readonly #store: CompareStore;
  readonly #spawn: SpawnContender;
  #abort: AbortController | null = null;

  constructor(store: CompareStore, spawn: SpawnContender) {
    this.#store = store;
    this.#spawn = spawn;
  }

  /** Starts a comparison; one that is running ends. */
  start(contenders: readonly Contender[], command: Recipe): void {
    this.stop();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    void runComparison(this.#store, this.#spawn, { contenders, command, signal });
  }

  stop(): void {
    this.#abort?.abort();
  }
}

export interface ComparisonRequest {
  contenders: readonly Contender[];
  command: Recipe;
  /** Ends the worker at once. */
  signal: AbortSignal;
}

/** Runs one contender after the other, each in a worker of its own. A failure gives a row with `error`. */
export async function runComparison(
  store: CompareStore,
  spawn: SpawnContender,
  { contenders, command, signal }: ComparisonRequest,
): Promise<void> {
  store.setState({ rows: [], detail: '', running: null });
  for (const contender of contenders) {
    if (signal.aborted) break;
    store.setState({ running: contender, detail: 'Starting the backend' });
    const row = await compareOne(store, spawn, { contender, command, signal });
    if (row) store.setState((state) => ({ rows: [...state.rows, row] }));
  }
  store.setState({ running: null, detail: '' });
}

/** One row, or null if it was aborted. */
async function compareOne(
  store: CompareStore,
  spawn: SpawnContender,
  request: Omit<ComparisonRequest, 'contenders'> & { contender: Contender },
): Promise<ComparisonRow | null> {
  const { command, signal } = request;
  const { backend, mode } = request.contender;
  const config = { ...command.config, runtime: { ...command.config.runtime, backend } };
  const link = new WorkerLink(() => spawn(request.contender), {
    event: (event) => {
      if (event.type === 'phase') store.setState({ detail: event.detail });
    },
    started: () => undefined,
    silent: () => undefined,
    died: () => undefined,
  });
  const abort = (): void => link.close();
  signal.addEventListener('abort', abort);
  try {
    const answer = await link.request((id) => ({ ...command, config, mode, id }));
    return answer.row;
  } catch (error) {
    if (signal.aborted) return null;
    return failedRow(backend, mode, error instanceof Error ? error.message : String(error));
  } finally {
    signal.removeEventListener('abort', abort);
    link.close();
  }
}

const failedRow = (backend: BackendName, mode: CompareMode, error: string): ComparisonRow => ({
  backend,
  mode,
  steps: 0,
  ms_per_step: NaN,
  tokens_per_second: NaN,
  dispatches_per_step: null,
  submits_per_step: null,
  gpu_bytes: null,
  losses: [],
  error,
});
