/**
 * The protocol's client: sends commands, applies events to the stores, and looks after the worker.
 *
 * A worker holds one backend and one run at a time. Another backend, or a run that has not ended in
 * good order, means a new worker; after one that has, the next run finds its device and its
 * compiled kernels there. A worker that dies is said so, what it had saved stays, and resuming
 * starts a new one. A lost GPU is the worker's own affair (`recovering`).
 */
import { createStore } from 'zustand/vanilla';
import { encodeConfig, type RunConfig, type SamplingConfig } from '../config/index.ts';
import type { Command, Event, PagePort, PlainError, Sample } from '../protocol/index.ts';
import { MetricTable } from './columns.ts';
import { type Contender, createCompare, runComparison } from './compare.ts';
import { createForm, dataKey, takeConfig } from './form.ts';
import { createLibrary, reduceLibrary } from './library.ts';
import { HeapWatch } from './heap.ts';
import { createProfile, initialProfile, reduceProfile } from './profile.ts';
import { WorkerWatch } from './watch.ts';
import { initialRun, isActive, reduceRun, withNotice, type RunState } from './run.ts';
import { addSample } from './samples.ts';
import { createView } from './view.ts';

export interface ImportedFile {
  path: string;
  bytes: Uint8Array;
}
export interface TokenizedText {
  text: string;
  pieces: { id: number; text: string }[];
}
export interface Exported {
  name: string;
  bytes: Uint8Array;
}

export interface Stores {
  run: ReturnType<typeof createRunStore>;
  samples: ReturnType<typeof createSampleStore>;
  form: ReturnType<typeof createForm>;
  view: ReturnType<typeof createView>;
  library: ReturnType<typeof createLibrary>;
  compare: ReturnType<typeof createCompare>;
  profile: ReturnType<typeof createProfile>;
  /** Metrics of the present run: mutable, outside of React; `version` says that it changed. */
  table: MetricTable;
}
const createRunStore = () => createStore<RunState>(() => initialRun);
const createSampleStore = () => createStore<{ samples: Sample[] }>(() => ({ samples: [] }));

export const createStores = (): Stores => ({
  run: createRunStore(),
  samples: createSampleStore(),
  form: createForm(),
  view: createView(),
  library: createLibrary(),
  compare: createCompare(),
  profile: createProfile(),
  table: new MetricTable(),
});

/** Time between two tellings of the newest step and loss; the first is told at once. */
const SHOW_MS = 240;

/** Milliseconds since 1970, by the clock that the worker has too. */
const epoch = (): number => performance.timeOrigin + performance.now();

type Waiter<T> = { resolve: (value: T) => void; reject: (error: Error) => void };

export class Client {
  #port: PagePort | null = null;
  /** The worker has been given a run: the next run needs another worker. */
  #used = false;
  #backend: RunConfig['runtime']['backend'] = 'auto';
  #nextId = 0;
  #comparing: AbortController | null = null;
  #unshown: Partial<RunState> = {};
  #showing: ReturnType<typeof setTimeout> | null = null;
  /** `dataKey` of what the worker was last asked to read. */
  #preparing: string | null = null;
  readonly #exports = new Map<number, Waiter<Exported>>();
  readonly #tokenized = new Map<number, Waiter<TokenizedText>>();
  readonly #tokenizedText = new Map<number, string>();
  readonly #listeners = new Set<(event: Event) => void>();
  /** The worker cannot tell its heap; the page can, for both. */
  readonly #heap = new HeapWatch((bytes) =>
    this.stores.table.append({
      step: Float64Array.of(this.stores.run.getState().step),
      js_heap_bytes: Float64Array.of(bytes),
    }),
  );
  readonly #watch = new WorkerWatch(
    (id) => this.#port?.send({ type: 'ping', id }),
    (silent) => this.stores.run.setState({ connection: silent ? 'silent' : 'alive' }),
  );

  constructor(
    readonly stores: Stores,
    readonly spawn: () => PagePort,
  ) {}

  /** Hears every event after the stores have taken it. */
  onEvent(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Starts a worker, so that the device is known and the runs are listed. */
  open(backend: RunConfig['runtime']['backend'] = 'auto', calibrate = true): void {
    this.#backend = backend;
    this.#send({ type: 'open', backend, calibrate });
    this.#send({ type: 'list_runs' });
  }

  /** Reads the text of the form and trains its tokenizer; the answer is `run.data`. */
  prepare(): void {
    if (isActive(this.stores.run.getState().phase) && this.#used) return;
    const { config } = this.stores.form.getState();
    this.stores.run.setState({ error: null });
    this.#preparing = dataKey(config, this.stores.form.getState().text);
    this.#send({ type: 'prepare', config, ...this.#brought(config) });
  }

  start(config = this.stores.form.getState().config, options: { paused?: boolean } = {}): void {
    const { form } = this.stores;
    const name = form.getState().name.trim() || defaultName(config);
    this.#freshWorker(config.runtime.backend);
    this.#clearRun(name, config);
    this.#used = true;
    this.#preparing = dataKey(config, this.stores.form.getState().text);
    this.#send({
      type: 'start',
      run: crypto.randomUUID(),
      name,
      config,
      paused: options.paused,
      ...this.#brought(config),
    });
  }

  resume(
    run: string,
    options: {
      learning_rate?: number;
      paused?: boolean;
      backend?: RunConfig['runtime']['backend'];
    } = {},
  ): void {
    const record = this.stores.library.getState().runs.find((one) => one.run === run);
    this.#freshWorker(options.backend ?? record?.config.runtime.backend ?? this.#backend);
    if (this.stores.run.getState().run !== run)
      this.#clearRun(record?.name ?? '', record?.config ?? null);
    if (record) takeConfig(this.stores.form, record.config, { name: record.name });
    this.stores.run.setState({
      error: null,
      finished: null,
      phase: 'preparing',
      detail: 'Opening the checkpoint',
      progress: null,
      opening: true,
    });
    this.#used = true;
    this.#send({ type: 'resume', run, ...options });
  }

  /** Goes on from files that the person brought: a zip, or a model folder. */
  importFiles(name: string, files: ImportedFile[]): void {
    const { config } = this.stores.form.getState();
    this.#freshWorker(this.#backend);
    this.#clearRun(name, null);
    this.#used = true;
    this.#send({
      type: 'import',
      run: crypto.randomUUID(),
      name,
      files,
      config,
      ...this.#brought(config),
    });
  }

  train(): void {
    this.#send({ type: 'train' });
  }
  pause(): void {
    this.#send({ type: 'pause' });
  }
  step(): void {
    this.#send({ type: 'step' });
  }
  stopRun(): void {
    this.#send({ type: 'stop' });
  }
  save(): void {
    if (this.#port && this.#used) this.#send({ type: 'save' });
  }
  cancel(): void {
    this.stores.run.setState({ opening: false });
    this.#send({ type: 'cancel' });
  }
  loseDevice(): void {
    this.#send({ type: 'lose_device' });
  }

  setLearningRate(learning_rate: number): void {
    this.#patchConfig((config) => ({ ...config, training: { ...config.training, learning_rate } }));
    this.#send({ type: 'set_learning_rate', learning_rate });
  }
  setSampling(sampling: SamplingConfig): void {
    this.#patchConfig((config) => ({ ...config, sampling }));
    this.#send({ type: 'set_sampling', sampling });
  }

  generate(prompt: string, sampling: SamplingConfig): void {
    const id = this.#id();
    this.stores.run.setState({
      generation: { id, prompt, pieces: [], running: true, reason: null },
    });
    this.#send({ type: 'generate', id, prompt, sampling });
  }
  stopGeneration(): void {
    const { generation } = this.stores.run.getState();
    if (generation?.running) this.#send({ type: 'stop_generation', id: generation.id });
  }

  tokenize(text: string): Promise<TokenizedText> {
    const id = this.#id();
    this.#tokenizedText.set(id, text);
    return new Promise((resolve, reject) => {
      this.#tokenized.set(id, { resolve, reject });
      this.#send({ type: 'tokenize', id, text });
    });
  }

  /** The checkpoint as a zip. Rejects with a plain sentence. */
  export(): Promise<Exported> {
    const id = this.#id();
    return new Promise((resolve, reject) => {
      this.#exports.set(id, { resolve, reject });
      this.#send({ type: 'export', id });
    });
  }

  listRuns(): void {
    this.#send({ type: 'list_runs' });
  }
  renameRun(run: string, name: string): void {
    if (run === this.stores.run.getState().run) this.stores.run.setState({ name });
    this.#send({ type: 'rename_run', run, name });
  }
  duplicateRun(run: string, name: string): void {
    this.#send({ type: 'duplicate_run', run, name });
  }
  deleteRun(run: string): void {
    this.#send({ type: 'delete_run', run });
  }
  overlay(run: string): void {
    this.#send({ type: 'load_history', run });
  }

  /**
   * Another backend for the run at hand: it is saved, and a new worker goes on from there. Without
   * a run, just opens it.
   */
  changeBackend(backend: RunConfig['runtime']['backend']): void {
    const { run, savedStep, phase } = this.stores.run.getState();
    this.#backend = backend;
    if (!run || !this.#used || phase === 'done') {
      this.restart();
      return;
    }
    const again = (): void => {
      this.resume(run, { paused: phase === 'paused', backend });
    };
    if (savedStep === this.stores.run.getState().step) {
      again();
      return;
    }
    const off = this.onEvent((event) => {
      if (event.type === 'saved') {
        off();
        again();
      }
    });
    this.pause();
    this.save();
  }

  /** The same configuration in each of these ways, in workers of their own. */
  compare(config: RunConfig, contenders: readonly Contender[], steps: number): void {
    this.#comparing?.abort();
    this.#comparing = new AbortController();
    const command = { type: 'compare', config, steps, ...this.#brought(config) } as const;
    void runComparison(
      this.stores.compare,
      this.spawn,
      contenders,
      command,
      this.#comparing.signal,
    );
  }
  stopComparing(): void {
    this.#comparing?.abort();
  }

  /** Measures a step of the run at hand; the answer is `profile`. */
  profile(): void {
    this.stores.profile.setState({ running: true, why: '' });
    this.#send({ type: 'profile' });
  }

  /** Ends the worker for good. */
  stop(): void {
    this.#comparing?.abort();
    this.#closePort();
  }

  /** Ends the worker and starts another; nothing that was saved is touched. */
  restart(): void {
    this.#closePort();
    this.stores.run.setState({
      phase: 'idle',
      detail: '',
      progress: null,
      connection: 'none',
      generation: null,
    });
    this.open(this.#backend, true);
  }

  /** A notice of the page itself. */
  notify(message: string): void {
    this.stores.run.setState((state) => withNotice(state, message));
  }
  dismissNotice(id: number): void {
    this.stores.run.setState((state) => ({
      notices: state.notices.filter((notice) => notice.id !== id),
    }));
  }
  fail(error: PlainError): void {
    this.stores.run.setState({ error });
  }
  dismissError(): void {
    this.stores.run.setState((state) => ({
      error: null,
      phase: state.phase === 'failed' ? 'idle' : state.phase,
    }));
  }

  /** The address that carries a configuration. */
  shareUrl(config: RunConfig): string {
    return `${location.origin}${location.pathname}${encodeConfig(config)}`;
  }

  #id(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  #brought(config: RunConfig): {
    text?: NonNullable<ReturnType<Stores['form']['getState']>['text']>;
    tokenizer_json?: string;
  } {
    const { text, tokenizerJson } = this.stores.form.getState();
    return {
      ...(config.data.corpus === 'own' && text ? { text } : {}),
      ...(config.tokenizer.kind === 'imported' && tokenizerJson
        ? { tokenizer_json: tokenizerJson.json }
        : {}),
    };
  }

  #patchConfig(change: (config: RunConfig) => RunConfig): void {
    this.stores.run.setState((state) => (state.config ? { config: change(state.config) } : {}));
  }

  #freshWorker(backend: RunConfig['runtime']['backend']): void {
    const usable = !this.#used || this.stores.run.getState().phase === 'done';
    if (!usable || backend !== this.#backend) this.#closePort();
    if (!this.#port) {
      this.#backend = backend;
      this.#send({ type: 'open', backend, calibrate: false });
    }
  }

  #clearRun(name: string, config: RunConfig | null): void {
    this.#showMetrics();
    const { device, calibration, notices, data, connection } = this.stores.run.getState();
    this.stores.table.clear();
    this.stores.samples.setState({ samples: [] });
    this.stores.profile.setState(initialProfile);
    this.stores.view.setState({ zoom: null });
    this.stores.run.setState({
      ...initialRun,
      device,
      calibration,
      notices,
      data,
      connection,
      name,
      config,
      phase: 'preparing',
      detail: 'Reading the text',
      opening: true,
      pressed: epoch(),
    });
  }

  #send(command: Command): void {
    (this.#port ?? this.#openPort()).send(command);
  }

  #openPort(): PagePort {
    const port = this.spawn();
    this.#port = port;
    this.#used = false;
    port.onEvent((event) => {
      if (this.#port === port) this.#apply(event);
    });
    port.onDeath((reason) => {
      if (this.#port === port) this.#died(reason);
    });
    this.stores.run.setState({ connection: 'alive' });
    this.#watch.start();
    return port;
  }

  #closePort(): void {
    this.#watch.stop();
    this.#port?.close();
    this.#port = null;
    this.#used = false;
    this.stores.profile.setState({ running: false });
    this.#rejectAll('The training worker was ended before it could answer. Try again.');
  }

  #died(reason: string): void {
    const { savedStep, run } = this.stores.run.getState();
    this.#closePort();
    const error: PlainError =
      savedStep !== null && run
        ? {
            code: 'worker_died',
            message: `The training worker stopped by itself (${reason}).`,
            hint: `The checkpoint of step ${savedStep} is safe: resume from there.`,
            action: 'resume',
          }
        : {
            code: 'worker_died',
            message: `The training worker stopped by itself (${reason}).`,
            hint: 'Saved runs are safe. Start again, or reload the page if it happens twice.',
            action: 'reload',
          };
    this.stores.run.setState({
      connection: 'dead',
      phase: 'failed',
      detail: '',
      progress: null,
      error,
      generation: null,
    });
  }

  #apply(event: Event): void {
    this.#watch.heard();
    const { run, samples, form, library, table } = this.stores;
    if (event.type === 'started') this.#takeHistory(event);
    if (event.type === 'data') form.setState({ preparedKey: this.#preparing });
    if (event.type === 'metrics') {
      table.append(event.columns);
      this.#heap.due();
    }
    if (event.type === 'sample')
      samples.setState((state) => ({ samples: addSample(state.samples, event.sample) }));
    if (event.type === 'exported')
      this.#settle(this.#exports, event.id, { name: event.name, bytes: event.bytes });
    if (event.type === 'tokens') {
      this.#settle(this.#tokenized, event.id, {
        text: this.#tokenizedText.get(event.id) ?? '',
        pieces: event.pieces,
      });
      this.#tokenizedText.delete(event.id);
    }
    if (event.type === 'metrics') {
      this.#soon(event);
      return;
    }
    this.#showMetrics();
    if (event.type === 'error') this.#rejectAll(`${event.error.message} ${event.error.hint}`);
    run.setState(reduceRun(run.getState(), event));
    library.setState(reduceLibrary(library.getState(), event));
    this.stores.profile.setState(reduceProfile(event));
    for (const listener of this.#listeners) listener(event);
  }

  /**
   * Flushes come ten times a second; the page is told four times a second, and at once when
   * anything else happens.
   */
  #soon(event: Extract<Event, { type: 'metrics' }>): void {
    const state = this.stores.run.getState();
    const first = !Number.isFinite(state.loss);
    this.#unshown = { ...this.#unshown, ...reduceRun({ ...state, ...this.#unshown }, event) };
    if (first && Number.isFinite(this.#unshown.loss))
      this.#unshown.start = { ...state.start, first_loss: epoch() - state.pressed };
    this.#showing ??= setTimeout(() => this.#showMetrics(), first ? 0 : SHOW_MS);
    for (const listener of this.#listeners) listener(event);
  }
  #showMetrics(): void {
    if (this.#showing === null) return;
    clearTimeout(this.#showing);
    this.#showing = null;
    this.stores.run.setState(this.#unshown);
    this.#unshown = {};
  }

  /** A resumed run brings its metrics; what was drawn after its step is taken again. */
  #takeHistory(event: Extract<Event, { type: 'started' }>): void {
    const { table, samples } = this.stores;
    if (event.history) {
      table.clear();
      table.append(event.history);
    } else table.truncateAfter(event.step);
    samples.setState((state) => ({
      samples: state.samples.filter((sample) => sample.step <= event.step),
    }));
  }

  #settle<T>(waiters: Map<number, Waiter<T>>, id: number, value: T): void {
    waiters.get(id)?.resolve(value);
    waiters.delete(id);
  }
  #rejectAll(message: string): void {
    for (const waiters of [this.#exports, this.#tokenized]) {
      for (const waiter of waiters.values()) waiter.reject(new Error(message));
      waiters.clear();
    }
    this.#tokenizedText.clear();
  }
}

const CORPUS_NAMES: Record<RunConfig['data']['corpus'], string> = {
  names: 'Names',
  moby_dick: 'Moby Dick',
  kjv: 'Verses',
  sotu: 'Speeches',
  tiny_tales: 'Tiny tales',
  arithmetic: 'Arithmetic',
  own: 'Own text',
};
/** "Names, 2 × 64" (layers and width): short, and tells two runs apart. */
export function defaultName(config: RunConfig): string {
  const text = CORPUS_NAMES[config.data.corpus];
  return `${text}, ${config.model.n_layer} × ${config.model.n_embd}`;
}
