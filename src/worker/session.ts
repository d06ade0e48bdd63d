/**
 * Composes a run behind the protocol: takes commands one after the other, starts what they need,
 * tells the page.
 */
import { loseDevice, tryBackends } from '../backend/index.ts';
import {
  broughtFiles,
  CheckpointError,
  openRunStore,
  type ReadState,
  readCheckpoint,
  type RunStore,
  writeCheckpoint,
  zipFolder,
} from '../checkpoint/index.ts';
import { asComputed, checkConfig, type RunConfig } from '../config/index.ts';
import { importTokenizer, tokenPieces } from '../data/index.ts';
import { planRun } from '../plan/index.ts';
import type {
  Command,
  DeviceInfo,
  Event,
  OwnText,
  StartMark,
  WorkerPort,
} from '../protocol/index.ts';
import { ActiveRun, type From, type RunParts } from './active_run.ts';
import { calibrate } from './calibrate.ts';
import { compareRow } from './compare.ts';
import { BadConfig, DeviceLost, NoBackend, plainError } from './plain_errors.ts';
import { type PreparedText, TextCache } from './text.ts';
import { tuneInPause } from './tuned.ts';

/** The state, to go on from on another backend where one is asked for. */
function on(state: ReadState, backend: RunConfig['runtime']['backend'] | undefined): ReadState {
  return backend === undefined
    ? state
    : { ...state, config: { ...state.config, runtime: { ...state.config.runtime, backend } } };
}

/** Milliseconds of rest before kernels are tuned. */
const TUNE_AFTER_MS = 2000;

/** Waits for all, then throws the first failure in their order. */
async function allOf<A, B, C>(
  promises: readonly [Promise<A>, Promise<B>, Promise<C>],
): Promise<[A, B, C]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** What waits for its turn. */
type Queued = Exclude<
  Command,
  {
    type:
      | 'train'
      | 'pause'
      | 'step'
      | 'stop'
      | 'cancel'
      | 'save'
      | 'set_learning_rate'
      | 'set_sampling'
      | 'stop_generation'
      | 'lose_device'
      | 'ping'
      | 'generate'
      | 'profile';
  }
>;
type Of<T extends Command['type']> = Extract<Command, { type: T }>;

export class Session {
  private device: DeviceInfo | null = null;
  private lost: string | null = null;
  private store: Promise<RunStore> | null = null;
  private run: ActiveRun | null = null;
  private looping: Promise<void> = Promise.resolve();
  private readonly texts = new TextCache();
  private text: PreparedText | null = null;
  private abort = new AbortController();
  private queue: Promise<void> = Promise.resolve();
  /** When the run came to rest; Infinity from the next command on. */
  private pausesAt = Infinity;
  /** Runs asked for that wait for their turn. */
  private runsWaiting = 0;

  constructor(private readonly port: WorkerPort) {
    port.onCommand((command) => this.take(command));
  }

  private emit(event: Event): void {
    this.port.emit(event);
  }
  private mark(mark: StartMark): void {
    this.emit({ type: 'mark', mark, at: performance.timeOrigin + performance.now() });
  }

  /** What steers a running loop acts at once; everything else waits for its turn. */
  private take(command: Command): void {
    if (command.type !== 'ping') this.pausesAt = Infinity;
    switch (command.type) {
      case 'train':
        this.run?.control.set('run');
        return;
      case 'pause':
        this.run?.control.set('pause');
        this.tuneSoon();
        return;
      case 'step':
        this.run?.control.set('step');
        return;
      case 'stop':
        this.abort.abort();
        this.run?.control.set('stop');
        return;
      case 'cancel':
        this.abort.abort();
        return;
      case 'save': {
        const run = this.run;
        run?.control.between(() => run.save());
        return;
      }
      case 'set_learning_rate':
        this.run?.setLearningRate(command.learning_rate);
        return;
      case 'set_sampling':
        this.run?.setSampling(command.sampling);
        return;
      case 'stop_generation':
        this.run?.stopGeneration(command.id);
        return;
      case 'lose_device':
        loseDevice();
        return;
      case 'ping':
        return;
      case 'generate':
        this.generate(command);
        return;
      case 'profile':
        if (this.run) this.run.profile();
        else
          this.emit({
            type: 'profile',
            profile: null,
            why: 'There is no run to measure yet: train one, or resume a saved one.',
          });
        return;
      case 'start':
      case 'resume':
      case 'import':
      case 'compare':
        this.runsWaiting++;
        this.enqueue(command, () => {
          this.runsWaiting--;
        });
        return;
      default:
        this.enqueue(command);
    }
  }

  private enqueue(command: Queued, begins: () => void = () => undefined): void {
    this.queue = this.queue
      .then(() => {
        begins();
        return this.handle(command);
      })
      .catch((error: unknown) => this.fail(error));
  }

  private fail(error: unknown, saved = true): void {
    if (error instanceof Error && 'code' in error && error.code === 'cancelled') {
      this.emit({ type: 'phase', phase: 'idle', detail: 'Cancelled.', progress: null });
      return;
    }
    console.error(error);
    this.emit({ type: 'error', error: plainError(error, saved) });
    if (!this.run) this.emit({ type: 'phase', phase: 'failed', detail: '', progress: null });
  }

  private async handle(command: Queued): Promise<void> {
    switch (command.type) {
      case 'open':
        await this.open(command.backend);
        if (command.calibrate && !this.run) await this.calibrate();
        return;
      case 'prepare':
        await this.prepare(command);
        return;
      case 'start':
        await this.start(command);
        return;
      case 'resume':
        await this.resume(command);
        return;
      case 'import':
        await this.importRun(command);
        return;
      case 'tokenize':
        this.tokenize(command);
        return;
      case 'export':
        await this.export(command.id);
        return;
      case 'compare':
        await this.compare(command);
        return;
      case 'load_history':
        this.emit({
          type: 'history',
          run: command.run,
          columns: await (await this.storage()).readMetrics(command.run),
        });
        return;
      case 'list_runs':
        await this.tellRuns();
        return;
      case 'rename_run':
        await (await this.storage()).rename(command.run, command.name);
        await this.tellRuns();
        return;
      case 'duplicate_run':
        await (await this.storage()).duplicate(command.run, crypto.randomUUID(), command.name);
        await this.tellRuns();
        return;
      case 'delete_run':
        if (this.run?.id === command.run) await this.endRun();
        await (await this.storage()).delete(command.run);
        await this.tellRuns();
        return;
      default:
        command satisfies never;
    }
  }

  /**
   * After a while in which the person asks for nothing, and the run stands still, kernels are tuned
   * for the next run.
   */
  private tuneSoon(): void {
    const since = (this.pausesAt = performance.now());
    const untouched = (): boolean => this.pausesAt === since;
    setTimeout(() => {
      const run = this.run;
      const adapter = this.device?.adapter;
      if (run?.control.state !== 'pause' || adapter === undefined || !untouched()) return;
      run.control.between(() =>
        tuneInPause(adapter, () => !untouched()).catch((error: unknown) =>
          console.error('Kernels could not be tuned:', error),
        ),
      );
    }, TUNE_AFTER_MS);
  }

  /** Starts the backend that the configuration asks for, if another one (or none) is running. */
  private async open(wanted: RunConfig['runtime']['backend']): Promise<DeviceInfo> {
    if (this.device && !this.lost && (wanted === 'auto' || wanted === this.device.backend))
      return this.device;
    await this.endRun();
    try {
      const choice = await tryBackends(wanted, {
        lost: (reason) => this.deviceLost(reason),
        error: (message) => console.error('The GPU refused a command:', message),
      });
      this.lost = null;
      this.device = choice;
      this.emit({ type: 'device', device: choice });
      return choice;
    } catch (error) {
      throw new NoBackend(error instanceof Error ? error.message : String(error));
    }
  }

  /** A run that is asked for meanwhile does not wait for it. */
  private async calibrate(): Promise<void> {
    const measured = await calibrate(() => this.runsWaiting > 0);
    if (measured) this.emit({ type: 'calibration', ...measured });
  }

  private deviceLost(reason: string): void {
    this.lost = reason;
    // A loop that waits on the device is woken by its rejected promises; a paused one by this.
    this.run?.control.between(() => Promise.reject(new DeviceLost(reason)));
  }

  private storage(): Promise<RunStore> {
    return (this.store ??= openRunStore().then((store) => {
      if (store.refused)
        this.emit({ type: 'notice', message: `${store.refused.message} ${store.refused.hint}` });
      return store;
    }));
  }

  private async tellRuns(): Promise<void> {
    const store = await this.storage();
    this.emit({ type: 'runs', runs: await store.list(), storage: await store.storage() });
  }

  private async prepareText(
    config: RunConfig,
    text: OwnText | undefined,
    tokenizer_json?: string,
    tokenizer?: PreparedText['tokenizer'],
  ): Promise<PreparedText> {
    this.abort = new AbortController();
    const prepared = await this.texts.get(config, {
      text,
      tokenizer_json,
      tokenizer,
      signal: this.abort.signal,
      progress: (detail, progress) =>
        this.emit({ type: 'phase', phase: 'preparing', detail, progress }),
    });
    this.text = prepared;
    this.emit({ type: 'data', data: prepared.summary });
    return prepared;
  }

  private async prepare(command: Of<'prepare'>): Promise<void> {
    const busy = this.run !== null;
    await this.prepareText(command.config, command.text, command.tokenizer_json);
    if (!busy) this.emit({ type: 'phase', phase: 'idle', detail: '', progress: null });
  }

  private async start(command: Of<'start'>): Promise<void> {
    await this.endRun();
    const { config } = command;
    // Device, text and storage at the same time; all of them to their end, so that nothing goes on
    // behind a failure.
    const [device, text, store] = await allOf([
      this.open(config.runtime.backend).then((opened) => {
        this.mark('device');
        return opened;
      }),
      this.prepareText(config, command.text, command.tokenizer_json).then((prepared) => {
        this.mark('prepared');
        return prepared;
      }),
      this.storage(),
    ]);
    this.check(config, text, text.tokenizer.vocab_size, device);
    const n_params = planRun(config, { vocab_size: text.tokenizer.vocab_size }).n_params;
    const storage = await store.create({ id: command.run, name: command.name, config, n_params });
    if (command.text) await storage.saveText(command.text);
    this.mark('stored');
    await this.begin(
      {
        id: command.run,
        adapter: device.adapter,
        name: command.name,
        config,
        text,
        vocab_size: text.tokenizer.vocab_size,
        storage,
      },
      null,
      command.paused ?? false,
    );
  }

  private async resume(command: Of<'resume'>): Promise<void> {
    await this.endRun();
    const store = await this.storage();
    const record = (await store.list()).find((r) => r.run === command.run);
    const storage = await store.open(command.run);
    try {
      const loaded = await storage.load();
      if (!loaded)
        throw new CheckpointError(
          'run_missing',
          'This run has no checkpoint yet.',
          'Start it anew with the same configuration.',
        );
      if (loaded.recovered)
        this.emit({
          type: 'notice',
          message:
            'The last checkpoint was cut short and does not open, so the run goes on from the one before it.',
        });
      const state = on(loaded.state, command.backend);
      const saved = await storage.loadText();
      await this.open(state.config.runtime.backend);
      await storage.rewindMetrics(state.step);
      await this.goOn(
        command.run,
        record?.name ?? 'Run',
        state,
        saved ?? undefined,
        storage,
        command,
      );
    } catch (error) {
      if (!this.run) await storage.close();
      throw error;
    }
  }

  private async importRun(command: Of<'import'>): Promise<void> {
    await this.endRun();
    const state = readCheckpoint(broughtFiles(command.files));
    const chosen = command.config;
    const config: RunConfig =
      state.foreign && chosen
        ? { ...chosen, model: state.config.model, tokenizer: state.config.tokenizer }
        : { ...state.config, ...(chosen ? { data: chosen.data, runtime: chosen.runtime } : {}) };
    for (const note of state.notes) this.emit({ type: 'notice', message: note });
    await this.open(config.runtime.backend);
    const storage = await (
      await this.storage()
    ).create({
      id: command.run,
      name: command.name,
      config,
      n_params: planRun(config, { vocab_size: state.model.vocab_size }).n_params,
    });
    try {
      if (command.text) await storage.saveText(command.text);
      if (state.metrics) await storage.appendMetrics(state.metrics);
      await this.goOn(command.run, command.name, { ...state, config }, command.text, storage, {
        paused: true,
      });
    } catch (error) {
      if (!this.run) await storage.close();
      throw error;
    }
  }

  /** Goes on from a checkpoint's state: of a saved run, or of an imported folder. */
  private async goOn(
    id: string,
    name: string,
    state: ReadState,
    own: OwnText | undefined,
    storage: RunParts['storage'],
    how: { learning_rate?: number; paused?: boolean },
  ): Promise<void> {
    const device = await this.open(state.config.runtime.backend);
    const tokenizer = await importTokenizer(state.tokenizer);
    const text = await this.prepareText(state.config, own, undefined, tokenizer);
    this.check(state.config, text, state.model.vocab_size, device);
    const from: From = {
      state: {
        parameters: state.parameters,
        optimizer: state.optimizer,
        step: state.step,
        tokens: state.tokens,
        loss_scale: state.loss_scale,
      },
      elapsed_seconds: state.elapsed_seconds,
      best_val_loss: state.best_val_loss ?? null,
    };
    await this.begin(
      {
        id,
        adapter: device.adapter,
        name,
        config: state.config,
        text,
        vocab_size: state.model.vocab_size,
        storage,
      },
      from,
      how.paused ?? false,
      how.learning_rate,
    );
  }

  private async begin(
    parts: Omit<RunParts, 'emit' | 'mark'>,
    from: From | null,
    paused: boolean,
    learning_rate?: number,
  ): Promise<void> {
    let run: ActiveRun;
    try {
      run = await ActiveRun.create(
        { ...parts, emit: (event) => this.emit(event), mark: (mark) => this.mark(mark) },
        from,
        paused,
      );
    } catch (error) {
      await parts.storage.close();
      throw error;
    }
    if (learning_rate !== undefined) run.setLearningRate(learning_rate);
    this.run = run;
    run.announce(from ? await parts.storage.readMetrics() : null);
    this.looping = this.loop(run, parts, false);
  }

  /** Runs the loop; a lost device is recovered from once, from the last checkpoint. */
  private async loop(
    run: ActiveRun,
    parts: Omit<RunParts, 'emit' | 'mark'>,
    recovered: boolean,
  ): Promise<void> {
    try {
      do {
        const reason = await run.train();
        if (run.control.state === 'end') return;
        this.emit({ type: 'finished', step: run.trainer.step, reason });
        this.emit({ type: 'phase', phase: 'done', detail: '', progress: 1 });
        this.tuneSoon();
        // A finished run stays: to generate from, to export, to train on.
      } while (await run.idle());
    } catch (error) {
      await this.causeOf(error);
      if (this.lost !== null && !recovered && this.run === run) {
        await this.recover(run, parts).catch((e: unknown) => this.failRun(run, e));
        return;
      }
      await this.failRun(run, this.lost === null ? error : new DeviceLost(this.lost));
    }
  }

  /**
   * What the browser refuses may be refused because the device is lost, of which it tells a little
   * later.
   */
  private async causeOf(error: unknown): Promise<void> {
    for (
      let waited = 0;
      waited < 1000 &&
      error instanceof DOMException &&
      this.lost === null &&
      this.device?.backend === 'webgpu';
      waited += 50
    ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  private async failRun(run: ActiveRun, error: unknown): Promise<void> {
    run.control.set('end');
    if (this.run === run) this.run = null;
    run.abandon();
    await run.closeStorage().catch(() => undefined);
    this.fail(error, run.saved);
  }

  private async recover(run: ActiveRun, parts: Omit<RunParts, 'emit' | 'mark'>): Promise<void> {
    const paused = run.control.state === 'pause';
    this.emit({
      type: 'phase',
      phase: 'recovering',
      detail: `The GPU device was lost (${this.lost ?? 'no reason given'}); going on from the last checkpoint.`,
      progress: null,
    });
    run.abandon();
    const loaded = await parts.storage.load();
    const device = await this.reopen(parts.config);
    const from: From | null = loaded
      ? {
          state: loaded.state,
          elapsed_seconds: loaded.state.elapsed_seconds,
          best_val_loss: loaded.state.best_val_loss ?? null,
        }
      : null;
    await parts.storage.rewindMetrics(from?.state.step ?? 0);
    const again = await ActiveRun.create(
      {
        ...parts,
        adapter: device.adapter,
        emit: (event) => this.emit(event),
        mark: (mark) => this.mark(mark),
      },
      from,
      paused,
    );
    this.run = again;
    again.announce(await parts.storage.readMetrics());
    this.emit({
      type: 'notice',
      message: `The GPU device was lost and came back (${device.adapter}); the run went on from step ${again.trainer.step}${from ? ', its last checkpoint' : ': nothing had been saved yet'}.`,
    });
    await this.loop(again, parts, true);
  }

  private async reopen(config: RunConfig): Promise<DeviceInfo> {
    this.run = null;
    return this.open(config.runtime.backend);
  }

  private check(
    asked: RunConfig,
    text: PreparedText,
    vocab_size: number,
    device: DeviceInfo,
  ): void {
    const config = asComputed(asked, device.backend);
    const { max_binding_size } = device.limits;
    const plan = planRun(config, { vocab_size, max_binding_size });
    const [problem] = checkConfig(config, {
      vocab_size: text.tokenizer.vocab_size,
      train_tokens: text.tokens.train.length,
      val_tokens: text.tokens.val.length,
      max_binding_size,
      max_buffer_size: device.limits.max_buffer_size,
      planned_bytes: plan.memory.total,
      ...(device.memory_bytes ? { memory_bytes: device.memory_bytes } : {}),
    });
    if (problem) throw new BadConfig(problem);
  }

  private async endRun(): Promise<void> {
    const run = this.run;
    if (!run) return;
    run.end();
    await this.looping;
    if (this.run === run) {
      this.run = null;
      await run.close();
    }
  }

  private generate(command: Of<'generate'>): void {
    if (this.run) this.run.generate(command.id, command.prompt, command.sampling);
    else
      this.emit({
        type: 'error',
        error: {
          code: 'no_model',
          message: 'There is no model to write with yet.',
          hint: 'Train one, resume a saved run, or import a checkpoint.',
        },
      });
  }

  private tokenize(command: Of<'tokenize'>): void {
    const text = this.text;
    if (!text)
      throw new CheckpointError(
        'bad_tokenizer',
        'There is no tokenizer yet.',
        'Choose a text first.',
      );
    this.emit({
      type: 'tokens',
      id: command.id,
      pieces: tokenPieces(text.tokenizer, command.text),
    });
  }

  private export(id: number): Promise<void> {
    const run = this.run;
    if (!run)
      throw new CheckpointError(
        'run_missing',
        'There is no model to export yet.',
        'Train one, or resume a saved run.',
      );
    return new Promise((resolve, reject) => {
      run.control.between(async () => {
        try {
          const state = await run.checkpoint();
          this.emit({
            type: 'exported',
            id,
            name: `${run.fileName}.zip`,
            bytes: zipFolder(writeCheckpoint({ ...state, metrics: await run.metrics() })),
          });
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  private async compare(command: Of<'compare'>): Promise<void> {
    await this.endRun();
    const { config } = command;
    const device = await this.open(config.runtime.backend);
    const text = await this.prepareText(config, command.text, command.tokenizer_json);
    this.check(config, text, text.tokenizer.vocab_size, device);
    this.emit({
      type: 'phase',
      phase: 'training',
      detail: `Measuring ${command.steps} steps.`,
      progress: null,
    });
    this.emit({
      type: 'comparison',
      row: await compareRow(
        config,
        text,
        device,
        command.mode,
        command.steps,
        () => this.abort.signal.aborted,
      ),
    });
    this.emit({ type: 'phase', phase: 'idle', detail: '', progress: null });
  }
}
