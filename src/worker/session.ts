/**
 * The worker's side of the protocol: routes each command to its handler. Commands that steer a run
 * act at once; all others are handled one after the other.
 */
import { CheckpointError, type RunStore } from '../checkpoint/index.ts';
import type { RunConfig } from '../config/index.ts';
import { tokenPieces } from '../data/index.ts';
import type { Command, Event, StartMark, WorkerPort } from '../protocol/index.ts';
import { importedRun, newRun, resumedRun, type BeginContext } from './begin.ts';
import { requireRunnable } from './check_run.ts';
import { CurrentRun } from './current_run.ts';
import { Device } from './device.ts';
import { IdleTuner } from './idle_tuner.ts';
import { manageRuns, type LibraryCommand } from './library.ts';
import { plainError } from './plain_errors.ts';
import { SERVICES, type SessionServices } from './services.ts';
import { TextCache, type PreparedText, type TextSources } from './text.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

/** Commands that wait for those before them. */
type Queued =
  | CommandOf<'open' | 'prepare' | 'start' | 'resume' | 'import'>
  | CommandOf<'compare' | 'tokenize' | 'export'>
  | LibraryCommand;

export class Session implements BeginContext {
  readonly services: SessionServices;
  readonly device: Device;
  readonly emit: (event: Event) => void;
  readonly mark: (mark: StartMark) => void;
  readonly #current: CurrentRun;
  readonly #tuner: IdleTuner;
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
    this.emit = (event) => port.emit(event);
    this.mark = (mark) =>
      this.emit({ type: 'mark', mark, at: performance.timeOrigin + performance.now() });
    this.device = new Device(services.tryBackends, {
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

  /** The store of runs; where the browser refuses storage, the page is told once. */
  storage(): Promise<RunStore> {
    this.#store ??= this.services.openRunStore().then((store) => {
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
    const run = this.#current.active;
    if (command.type !== 'ping') this.#tuner.interrupt();
    switch (command.type) {
      case 'train':
        run?.control.set('run');
        return;
      case 'pause':
        run?.control.set('pause');
        this.#rest();
        return;
      case 'step':
        run?.control.set('step');
        return;
      case 'stop':
        this.#abort.abort();
        run?.control.set('stop');
        return;
      case 'cancel':
        this.#abort.abort();
        return;
      case 'save':
        this.#save();
        return;
      case 'set_learning_rate':
        if (run)
          run.trainer.lr_multiplier *= command.learning_rate / run.trainer.currentLearningRate;
        return;
      case 'set_sampling':
        run?.setSampling(command.sampling);
        return;
      case 'generate':
        this.#generate(command);
        return;
      case 'stop_generation':
        run?.stopGeneration(command.id);
        return;
      case 'profile':
        this.#profile();
        return;
      case 'lose_device':
        this.services.loseDevice();
        return;
      case 'ping':
        return;
      case 'start':
      case 'resume':
      case 'import':
      case 'compare':
        this.#runsWaiting++;
        this.#enqueue(command, () => this.#runsWaiting--);
        return;
      case 'open':
      case 'prepare':
      case 'tokenize':
      case 'export':
      case 'load_history':
      case 'list_runs':
      case 'rename_run':
      case 'duplicate_run':
      case 'delete_run':
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
        return this.#handle(command);
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
        await this.#current.end();
        return this.#current.launch(await newRun(this, command));
      case 'resume':
        await this.#current.end();
        return this.#current.launch(await resumedRun(this, command));
      case 'import':
        await this.#current.end();
        return this.#current.launch(await importedRun(this, command));
      case 'tokenize':
        return this.#tokenize(command);
      case 'export':
        return this.#export(command);
      case 'compare':
        return this.#compare(command);
      case 'delete_run':
        if (this.#current.active?.id === command.run) await this.#current.end();
        return manageRuns(await this.storage(), command, this.emit);
      case 'load_history':
      case 'list_runs':
      case 'rename_run':
      case 'duplicate_run':
        return manageRuns(await this.storage(), command, this.emit);
      default:
        command satisfies never;
    }
  }

  #fail(error: unknown, saved: boolean): void {
    if (error instanceof Error && 'code' in error && error.code === 'cancelled') {
      this.emit({ type: 'phase', phase: 'idle', detail: 'Cancelled.', progress: null });
      return;
    }
    console.error(error);
    this.emit({ type: 'error', error: plainError(error, saved) });
    if (!this.#current.active)
      this.emit({ type: 'phase', phase: 'failed', detail: '', progress: null });
  }

  /** The run pauses or is done: kernels may be tuned. */
  #rest(): void {
    const adapter = this.device.info?.adapter;
    if (adapter !== undefined) this.#tuner.rest(() => this.#current.active, adapter);
  }

  async #open({ backend, calibrate }: CommandOf<'open'>): Promise<void> {
    if (!this.device.serves(backend)) await this.#current.end();
    await this.device.open(backend);
    if (!calibrate || this.#current.active) return;
    const measured = await this.services.calibrate(() => this.#runsWaiting > 0);
    if (measured) this.emit({ type: 'calibration', ...measured });
  }

  async #prepare({ config, text, tokenizer_json }: CommandOf<'prepare'>): Promise<void> {
    const busy = this.#current.active !== null;
    await this.prepareText(config, { text, tokenizer_json });
    if (!busy) this.emit({ type: 'phase', phase: 'idle', detail: '', progress: null });
  }

  #save(): void {
    const run = this.#current.active;
    run?.save().then(
      (saved) => this.emit({ type: 'saved', run: run.id, ...saved }),
      (error: unknown) => this.#fail(error, true),
    );
  }

  #generate({ id, prompt, sampling }: CommandOf<'generate'>): void {
    const run = this.#current.active;
    if (run) {
      run.generate({ id, prompt, sampling });
      return;
    }
    this.emit({
      type: 'error',
      error: {
        code: 'no_model',
        message: 'There is no model to generate with yet.',
        hint: 'Train one, resume a saved run, or import a checkpoint.',
      },
    });
  }

  #profile(): void {
    const run = this.#current.active;
    if (!run) {
      const why = 'There is no run to measure yet: train one, or resume a saved one.';
      this.emit({ type: 'profile', profile: null, why });
      return;
    }
    run.profile().then(
      (profile) => this.emit({ type: 'profile', profile, why: '' }),
      (error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.emit({ type: 'profile', profile: null, why });
      },
    );
  }

  #tokenize({ id, text }: CommandOf<'tokenize'>): void {
    if (!this.#text) {
      throw new CheckpointError(
        'bad_tokenizer',
        'There is no tokenizer yet.',
        'Choose a text first.',
      );
    }
    this.emit({ type: 'tokens', id, pieces: tokenPieces(this.#text.tokenizer, text) });
  }

  async #export({ id }: CommandOf<'export'>): Promise<void> {
    const run = this.#current.active;
    if (!run) {
      throw new CheckpointError(
        'run_missing',
        'There is no model to export yet.',
        'Train one, or resume a saved run.',
      );
    }
    const exported = await run.export();
    this.emit({ type: 'exported', id, ...exported });
  }

  async #compare(command: CommandOf<'compare'>): Promise<void> {
    const { config, mode, steps, text: own, tokenizer_json } = command;
    await this.#current.end();
    const device = await this.device.open(config.runtime.backend);
    const text = await this.prepareText(config, { text: own, tokenizer_json });
    requireRunnable(config, { text, vocab_size: text.tokenizer.vocab_size, device });
    const detail = `Measuring ${steps} steps.`;
    this.emit({ type: 'phase', phase: 'training', detail, progress: null });
    const isCancelled = (): boolean => this.#abort.signal.aborted;
    const row = await this.services.compareRow({ config, text, device, mode, steps, isCancelled });
    this.emit({ type: 'comparison', row });
    this.emit({ type: 'phase', phase: 'idle', detail: '', progress: null });
  }
}
