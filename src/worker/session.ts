/**
 * The worker's side of the protocol: routes each command to its handler. Commands that steer a run
 * act at once; all others are handled one after the other.
 */
import type { RunStore } from '../checkpoint/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { Command, Event, ReleasedRun } from '../protocol/index.ts';
import type { RunPhase, StartMark, WorkerPort } from '../protocol/index.ts';
import type { ActiveRun } from './active_run.ts';
import { answer, type AnswerContext, type Request } from './answers.ts';
import { importedRun, newRun, readImport, resumedRun } from './begin.ts';
import { CurrentRun } from './current_run.ts';
import { Device } from './device.ts';
import { speedHere } from './fastest.ts';
import { IdleTuner } from './idle_tuner.ts';
import { Backups, listRuns } from './library.ts';
import { BudgetKeeper } from './budget_keeper.ts';
import { DeviceLost, plainError } from './plain_errors.ts';
import type { ImportedFiles } from './restored.ts';
import { executeBetweenSteps, type CommandOf, type Queued } from './queued.ts';
import { SideCommands } from './side_commands.ts';
import { SERVICES, type SessionServices } from './services.ts';
import type { PreparedText, TextSources } from './prepared_text.ts';
import { TextCache } from './text.ts';

export class Session implements AnswerContext {
  readonly services: SessionServices;
  readonly device: Device;
  readonly emit: (event: Event) => void;
  readonly mark: (mark: StartMark) => void;
  readonly backups: Backups;
  readonly #current: CurrentRun;
  readonly #tuner: IdleTuner;
  readonly #side = new SideCommands(this);
  readonly #texts = new TextCache();
  #text: PreparedText | null = null;
  #store: Promise<RunStore> | null = null;
  /** Cancels the preparation of a text, or a comparison. */
  #abort = new AbortController();
  #queue: Promise<void> = Promise.resolve();
  /** Queued commands that start a run: a calibration gives way to them. */
  #runsWaiting = 0;

  constructor(port: WorkerPort, services: SessionServices = SERVICES) {
    this.services = services;
    const budget = new BudgetKeeper(() => this.storage(), port);
    this.emit = (event) => {
      port.emit(event);
      if (event.type === 'saved') budget.keep();
    };
    this.backups = new Backups(this.emit);
    this.mark = (mark) =>
      this.emit({ type: 'mark', mark, at: performance.timeOrigin + performance.now() });
    this.device = new Device(services, {
      opened: (device) => this.emit({ type: 'device', device }),
      lost: (reason) => this.#current.deviceLost(reason),
    });
    this.#current = new CurrentRun(this, {
      finished: () => this.#rest(),
      failed: (error, saved) => this.#fail(error, saved),
    });
    this.#tuner = new IdleTuner(services.tuneInPause);
    port.onCommand((command) => this.#route(command));
  }

  get run(): ActiveRun | null {
    return this.#current.active;
  }

  get text(): PreparedText | null {
    return this.#text;
  }

  isCancelled(): boolean {
    return this.#abort.signal.aborted;
  }

  /** The store of runs; where the browser refuses storage, the page is notified once. */
  storage(): Promise<RunStore> {
    this.#store ??= this.services.openRunStore().then((store) => {
      store.onClosed = () => this.#enqueue({ type: 'list_runs' });
      const { refused } = store;
      if (refused) this.emit({ type: 'notice', message: `${refused.message} ${refused.hint}` });
      return store;
    });
    return this.#store;
  }

  async prepareText(config: RunConfig, sources: TextSources): Promise<PreparedText> {
    this.#abort = new AbortController();
    const prepared = await this.#texts.get(config, {
      ...sources,
      signal: this.#abort.signal,
      progress: (detail, progress) =>
        this.emit({ type: 'phase', phase: 'preparing', detail, progress }),
    });
    this.#text = prepared;
    this.emit({ type: 'data', data: prepared.summary });
    return prepared;
  }

  #route(command: Command): void {
    const { run } = this;
    if (command.type !== 'ping') this.#tuner.interrupt();
    if (this.#side.takes(command)) return;
    switch (command.type) {
      case 'train':
        return this.#current.steer('run');
      case 'pause':
        this.#current.steer('pause');
        return this.#rest();
      case 'step':
        return this.#current.steer('step');
      case 'stop':
        this.#abort.abort();
        return this.#current.steer('stop');
      case 'cancel':
        return this.#abort.abort();
      case 'set_threads':
        return void this.device.setThreads(command.threads);
      case 'set_lr_multiplier':
        return this.#current.setLrMultiplier(command.multiplier);
      case 'set_sampling':
        return run?.setSampling(command.sampling);
      case 'set_view':
        if (run?.id === command.run) void run.keepView(command.view);
        return;
      case 'stop_generation':
        this.#side.stop(command.id);
        return run?.stopGeneration(command.id);
      case 'save':
      case 'generate':
      case 'profile':
      case 'back_up':
      case 'restore_backup':
        void this.#reply(command);
        return;
      case 'cancel_backup':
        return this.backups.cancel(command.job);
      case 'lose_device':
        return this.services.loseDevice();
      case 'ping':
        return;
      case 'start':
      case 'resume':
      case 'import':
      case 'compare':
        this.#current.expect();
        this.#runsWaiting++;
        this.#enqueue(command, () => this.#runsWaiting--);
        return;
      case 'open':
      case 'prepare':
      case 'release':
      case 'tokenize':
      case 'export':
      case 'load_history':
      case 'list_runs':
      case 'rename_run':
      case 'duplicate_run':
      case 'delete_runs':
      case 'restore_runs':
      case 'purge_runs':
      case 'set_budget':
        this.#enqueue(command);
        return;
      default:
        command satisfies never;
    }
  }

  #enqueue(command: Queued, begins: () => void = () => undefined): void {
    this.#queue = this.#queue
      .then(() => {
        begins();
        return executeBetweenSteps(this.run, command, () => this.#handle(command));
      })
      .catch((error: unknown) => this.#fail(error, true));
  }

  async #handle(command: Queued): Promise<void> {
    switch (command.type) {
      case 'open':
        return this.#open(command);
      case 'prepare':
        return this.#prepare(command);
      case 'start':
        await this.#current.release();
        await this.#current.launch(await newRun(this, command));
        if (command.parent && 'files' in command.parent) this.#current.keepImported();
        return;
      case 'resume':
        await this.#current.release();
        await this.#current.launch(await resumedRun(this, command));
        // Otherwise the page would open the last checkpoint again, with the metrics of the best one.
        if (command.weights === 'best') this.#current.keepImported();
        return;
      case 'import':
        return this.#import(command);
      case 'release':
        return this.#release(command);
      case 'compare':
        await this.#current.release();
        return this.#reply(command);
      case 'delete_runs':
        if (this.run && command.runs.includes(this.run.id)) await this.#current.end();
        return this.#reply(command);
      case 'list_runs':
        this.emit(await listRuns(await this.storage()));
        return;
      default:
        // A command that is no request is a type error here.
        return this.#reply(command);
    }
  }

  /**
   * Answers a request, with an error if it fails. Never rejects. A request that meets a lost device
   * is carried out once the run has recovered, except for a generation, of which the page has a part.
   */
  async #reply(request: Request): Promise<void> {
    try {
      await this.#current.ready();
      this.emit(await answer(this, request));
    } catch (error) {
      if (error instanceof DeviceLost && request.type !== 'generate') return this.#reply(request);
      this.#refuse(request.id, error);
    }
  }

  /** The request failed, and nothing else did. */
  #refuse(id: number, error: unknown): void {
    console.error(error);
    this.emit({ type: 'error', id, error: plainError(error) });
  }

  async #release({ id }: CommandOf<'release'>): Promise<void> {
    try {
      this.emit({ type: 'released', id, released: await this.#current.release() });
    } catch (error) {
      this.#refuse(id, error);
    }
  }

  /** Files that are no checkpoint, and a storage that refuses, leave the current run as it is. */
  async #import(command: CommandOf<'import'>): Promise<void> {
    const { id, run } = command;
    if (!this.run) this.#phase('preparing', 'Reading the files.');
    let imported: ImportedFiles;
    let released: ReleasedRun | null;
    try {
      imported = await readImport(this, command);
      released = await this.#current.release();
    } catch (error) {
      this.#refuse(id, error);
      if (!this.run) this.#phase('idle');
      return;
    }
    this.emit({ type: 'importing', id, run, released });
    await this.#current.launch(await importedRun(this, command, imported));
    this.#current.keepImported();
  }

  #phase(phase: RunPhase, detail = ''): void {
    this.emit({ type: 'phase', phase, detail, progress: null });
  }

  #fail(error: unknown, saved: boolean): void {
    if (error instanceof Error && 'code' in error && error.code === 'cancelled') {
      this.#phase('idle', 'Cancelled.');
      return;
    }
    console.error(error);
    this.emit({ type: 'error', error: plainError(error, saved) });
    if (!this.run) this.#phase('failed');
  }

  /** The run pauses or is done: kernels may be tuned. */
  #rest(): void {
    const adapter = this.device.info?.adapter;
    if (adapter !== undefined) this.#tuner.rest(() => this.run, adapter);
  }

  async #open({ backend, calibrate }: CommandOf<'open'>): Promise<void> {
    await this.#current.ready();
    if (!this.device.serves(backend)) await this.#current.release();
    await this.device.open(backend);
    if (!calibrate || this.run) return;
    const measure = () => this.device.orLost(this.services.calibrate(() => this.#runsWaiting > 0));
    const speed = await speedHere(backend, { device: this.device, calibrate: measure });
    if (speed) this.emit({ type: 'calibration', ...speed });
  }

  async #prepare({ config, text, tokenizer_json }: CommandOf<'prepare'>): Promise<void> {
    const busy = this.run !== null;
    await this.prepareText(config, { text, tokenizer_json });
    if (!busy) this.#phase('idle');
  }
}
