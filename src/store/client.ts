/**
 * What the page can ask for: sends commands to the worker and applies its events to the stores.
 *
 * A worker holds one backend and one run at a time. Another backend needs a new worker, and so does
 * a new run unless the one before it is done; then the worker keeps its device and its compiled
 * kernels. If the worker dies, the page says so; saved checkpoints are kept, and resuming starts a
 * new worker. The worker itself recovers from a lost GPU device (`recovering`).
 */
import type { RunConfig, SamplingConfig } from '../config/index.ts';
import type {
  Event,
  ExportChoice,
  ImportedFile,
  PagePort,
  PlainError,
  RunRecord,
  WeightsChoice,
} from '../protocol/index.ts';
import type { Exported, ResumeOptions, StartOptions, TokenizedText } from './client_types.ts';
import type { Contender } from './compare.ts';
import { Comparison, spawnEither } from './comparison.ts';
import { LibraryClient } from './library_client.ts';
import { dataKey, openedFiles, takeConfig } from './form.ts';
import { ModelsClient } from './models_client.ts';
import { startCommand } from './new_run.ts';
import {
  isActive,
  openingRun,
  staysWhileReading,
  withNotice,
  withoutError,
  withoutNotice,
  withoutWorker,
} from './run.ts';
import { ViewKeeper } from './run_view.ts';
import { RunTurn } from './run_turn.ts';
import { RunWorker } from './run_worker.ts';
import { StoreUpdates } from './store_updates.ts';
import type { Stores } from './stores.ts';
import { Sweep } from './sweep.ts';
import { showingErrors } from './showing_errors.ts';
import type { WorkerLink } from './worker_link.ts';

type Backend = RunConfig['runtime']['backend'];

export class Client {
  readonly stores: Stores;
  readonly library: LibraryClient;
  readonly sweep: Sweep;
  readonly models: ModelsClient;
  readonly #comparison: Comparison;
  readonly #worker: RunWorker;
  readonly #link: WorkerLink;
  readonly #updates: StoreUpdates;
  readonly #view: ViewKeeper;
  readonly #turn: RunTurn;
  readonly #listeners = new Set<(event: Event) => void>();

  constructor(stores: Stores, spawn: () => PagePort, spawnStock = spawn) {
    this.stores = stores;
    this.#comparison = new Comparison(stores.compare, spawnEither(spawn, spawnStock));
    this.#updates = new StoreUpdates(stores);
    this.#worker = new RunWorker(stores, spawn, (event) => this.#apply(event));
    this.#link = this.#worker.link;
    this.#view = new ViewKeeper(stores, (run, view) => {
      if (this.#link.isOpen && this.#worker.hasRun)
        this.#link.send({ type: 'set_view', run, view });
    });
    this.library = new LibraryClient(stores, this.#link);
    this.models = new ModelsClient(stores, this.#link, spawn);
    this.sweep = new Sweep(this);
    this.#turn = new RunTurn(stores, this.#worker, this.#updates);
  }

  /**
   * Calls `listener` with every event, after the stores have changed. Returns a function that
   * unsubscribes.
   */
  onEvent(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  readonly request: WorkerLink['request'] = (make) => this.#link.request(make);
  /** Starts a worker, so that the device is known and the runs are listed. */
  open(backend: Backend = 'auto', calibrate = true): void {
    this.#worker.backend = backend;
    this.#link.send({ type: 'open', backend, calibrate });
    this.library.list();
  }

  /** Prepares the text of the form and trains its tokenizer; the result is `run.data`. */
  prepare(): void {
    if (isActive(this.stores.run.getState().phase) && this.#worker.hasRun) return;
    const form = this.stores.form.getState();
    const { config } = form;
    this.stores.run.setState((run) => ({ error: staysWhileReading(run) ? run.error : null }));
    this.#updates.preparing = dataKey(config, form);
    this.#link.send({ type: 'prepare', config, ...openedFiles(form, config) });
  }

  /** Starts a run with the form's configuration, or another one. Returns its id. */
  start(config = this.stores.form.getState().config, options: StartOptions = {}): string {
    const command = startCommand(this.stores, config, options);
    const key = dataKey(config, this.stores.form.getState());
    this.#turn.replace(() => {
      this.#worker.take(config.runtime.backend);
      this.#updates.clearRun(command.name, config);
      this.#updates.preparing = key;
      this.#link.send(command);
    });
    return command.run;
  }

  /** Starts a run again that ended before it was saved; its entry gives way to the new run. */
  startAgain({ run, name, config }: RunRecord): void {
    const started = this.start(config, { name, text_of: run });
    const stop = this.onEvent((event) => {
      if (event.type !== 'started') return;
      stop();
      if (event.run === started) this.library.delete([run]);
    });
  }

  /** Starts a run with the form's recipe from the weights of a saved run, with its model. */
  startFrom(run: string, options: Omit<StartOptions, 'parent'> = {}): void {
    const parent = this.stores.library.getState().runs.find((record) => record.run === run);
    if (!parent) return;
    const { model, tokenizer } = parent.config;
    const config = { ...this.stores.form.getState().config, model, tokenizer };
    this.start(config, { ...options, parent: { run } });
  }

  resume(run: string, options: ResumeOptions = {}): void {
    this.#turn.replace(() => this.#resume(run, options));
  }

  #resume(run: string, options: ResumeOptions): void {
    this.#turn.opensPaused = options.paused ?? false;
    const { library, form } = this.stores;
    const record = library.getState().runs.find((candidate) => candidate.run === run);
    this.#worker.take(options.backend ?? record?.config.runtime.backend ?? this.#worker.backend);
    const current = this.stores.run.getState();
    if (current.run === run) this.#updates.preparing = current.recipe?.dataKey ?? null;
    else {
      this.#updates.clearRun(record?.name ?? '', record?.config ?? null);
      if (record) takeConfig(form, record.config, { name: '' });
    }
    this.stores.run.setState(openingRun('Opening the checkpoint'));
    this.#link.send({ type: 'resume', run, ...options });
  }

  /**
   * Continues from files that the user opened: a zip, or a model folder. The current run goes on
   * unless they are a checkpoint.
   */
  importFiles(name: string, files: ImportedFile[]): void {
    this.#turn.importFiles(name, files);
  }

  train(): void {
    this.#link.send({ type: 'train' });
  }
  pause(): void {
    this.#link.send({ type: 'pause' });
  }
  step(): void {
    this.#link.send({ type: 'step' });
  }
  stopRun(): void {
    this.#link.send({ type: 'stop' });
  }
  cancel(): void {
    this.stores.run.setState({ opening: false });
    this.#link.send({ type: 'cancel' });
  }
  loseDevice(): void {
    this.#link.send({ type: 'lose_device' });
  }

  /** Saves the current run, if any. An error is shown on the page. */
  save(): void {
    const { run, phase } = this.stores.run.getState();
    if (!this.#link.isOpen || !this.#worker.hasRun || !run || phase === 'recovering') return;
    const saving = this.#link.request((id) => ({ type: 'save', id }));
    void showingErrors(this.stores, saving, 'save');
  }

  /** Scales the learning rate schedule of the current run; 1 returns to the schedule. */
  setLrMultiplier(multiplier: number): void {
    this.stores.run.setState({ lr_multiplier: multiplier });
    this.#link.send({ type: 'set_lr_multiplier', multiplier });
  }
  setSampling(sampling: SamplingConfig): void {
    this.stores.run.setState(({ config }) => (config ? { config: { ...config, sampling } } : {}));
    this.#link.send({ type: 'set_sampling', sampling });
  }

  /** Generates with the weights as they are now, or with those of the best evaluation. */
  generate(prompt: string, sampling: SamplingConfig, weights: WeightsChoice = 'last'): void {
    const id = this.#link.nextId();
    const generation = { id, prompt, pieces: [], running: true, reason: null, error: null };
    this.stores.run.setState({ generation });
    this.#link.send({ type: 'generate', id, prompt, sampling, weights });
  }
  stopGeneration(): void {
    const { generation } = this.stores.run.getState();
    if (generation?.running) this.#link.send({ type: 'stop_generation', id: generation.id });
  }

  /** Rejects with an error whose message the page can show. */
  async tokenize(text: string): Promise<TokenizedText> {
    const { pieces } = await this.#link.request((id) => ({ type: 'tokenize', id, text }));
    return { text, pieces };
  }

  /** A checkpoint as a zip. Rejects with an error whose message the page can show. */
  async export(what: ExportChoice = 'last'): Promise<Exported> {
    const { name, bytes } = await this.#link.request((id) => ({ type: 'export', id, what }));
    return { name, bytes };
  }

  /**
   * Continues the current run on another backend: saves it, and resumes it in a new worker. Without
   * a run, opens the backend.
   */
  async changeBackend(backend: Backend): Promise<void> {
    const { run, phase, opening } = this.stores.run.getState();
    const paused = opening ? this.#turn.opensPaused : phase === 'paused';
    const goesOn = run !== null && this.#worker.hasRun && isActive(phase);
    if (goesOn && this.#turn.refusesToMove()) return;
    // A paused run may differ from its checkpoint, too: its rate was changed, or it was just imported.
    if (this.#turn.holdsRun) {
      const released = await this.#turn.release();
      if (!released || this.stores.run.getState().run !== run) return;
    }
    if (goesOn) {
      this.#resume(run, { paused, backend });
      return;
    }
    this.#worker.backend = backend;
    this.restart();
  }

  /** Trains the same configuration in each of these ways, in workers of their own. */
  compare(config: RunConfig, contenders: readonly Contender[], steps: number): void {
    const opened = openedFiles(this.stores.form.getState(), config);
    this.#comparison.start(contenders, { type: 'compare', config, steps, ...opened });
  }
  stopComparing(): void {
    this.#comparison.stop();
  }

  /** Measures a step of the current run; the result is in the profile store. */
  profile(): void {
    this.stores.profile.setState({ running: true, why: '' });
    void showingErrors(
      this.stores,
      this.#link.request((id) => ({ type: 'profile', id })),
    );
  }

  /** Ends the worker for good. */
  stop(): void {
    this.#comparison.stop();
    this.models.stop();
    this.#worker.close();
  }

  /** Ends the worker and starts another; saved runs are kept. */
  restart(): void {
    this.#worker.close();
    this.stores.run.setState(withoutWorker);
    this.open(this.#worker.backend, true);
  }

  /** Shows a notice of the page itself. */
  notify(message: string): void {
    this.stores.run.setState((state) => withNotice(state, message));
  }
  dismissNotice(id: number): void {
    this.stores.run.setState((state) => withoutNotice(state, id));
  }
  fail(error: PlainError): void {
    this.stores.run.setState({ error });
  }
  dismissError(): void {
    this.stores.run.setState(withoutError);
  }

  #apply(event: Event): void {
    if (event.type === 'importing') this.#turn.showImport(event);
    this.#updates.apply(event);
    if (event.type === 'started') this.#view.settle();
    if (event.type === 'finished') this.library.list();
    for (const listener of this.#listeners) listener(event);
  }
}
