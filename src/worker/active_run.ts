/** One run in this worker: it trains, and between its steps does what the user requests. */
import { CheckpointError } from '../checkpoint/index.ts';
import type {
  ExportChoice,
  FinishReason,
  GenerationEnd,
  MetricColumns,
  RunView,
} from '../common/index.ts';
import type { RunConfig, SamplingConfig } from '../config/index.ts';
import type { Tokenizer } from '../data/index.ts';
import type { RestoredRun } from '../protocol/index.ts';
import { Control, LossExploded, MetricBuffer, trainLoop } from '../train/index.ts';
import { BestKeeper } from './best.ts';
import { exportRun } from './export.ts';
import { Generations, type GenerationRequest } from './generation.ts';
import { Jobs } from './jobs.ts';
import type { DeviceLost } from './plain_errors.ts';
import { RunHooks } from './run_hooks.ts';
import { makeTrainer, type Made } from './make_trainer.ts';
import type { RunParts, RunStart, RunSurroundings, StartingPoint } from './run_parts.ts';
import { RunSaver, type Progress } from './saving.ts';
import type { RunTrainer } from './services.ts';

export class ActiveRun {
  readonly control: Control;
  readonly trainer: RunTrainer;
  readonly #parts: RunParts;
  readonly #surroundings: RunSurroundings;
  readonly #subgroupMatrices: boolean;
  readonly #progress: Progress;
  readonly #best: BestKeeper;
  readonly #saver: RunSaver;
  readonly #hooks: RunHooks;
  readonly #generations: Generations;
  readonly #jobs: Jobs;
  /** Until the page has got it. */
  #restored: RestoredRun | null;
  readonly #buffer = new MetricBuffer();
  #multiplierSaveQueued = false;
  /** Something that a checkpoint keeps was changed since the last save. */
  #changed = false;
  #releasing = false;
  #disposed = false;

  private constructor(parts: RunParts, start: RunStart, surroundings: RunSurroundings, made: Made) {
    const { from, paused } = start;
    const { trainer } = made;
    const control = new Control(paused ? 'pause' : 'run');
    this.#parts = parts;
    this.#surroundings = surroundings;
    this.trainer = trainer;
    this.control = control;
    this.#subgroupMatrices = made.subgroup_matrices;
    this.#progress = {
      seconds: from?.elapsed_seconds ?? 0,
      best_val_loss: from?.best_val_loss ?? null,
      saved_step: start.stored ? trainer.step : undefined,
      stale_evaluations: from?.stale_evaluations ?? 0,
      sampled_step: start.restored?.samples.at(-1)?.step ?? -1,
    };
    const { emit } = surroundings;
    this.#best = new BestKeeper({ trainer, storage: parts.storage, emit, stored: made.best });
    this.#restored = start.restored ?? null;
    const saver = new RunSaver(
      parts,
      { trainer, progress: this.#progress, best: this.#best },
      start,
    );
    this.#saver = saver;
    this.#hooks = new RunHooks({ parts, trainer, control, saver }, surroundings);
    this.#generations = new Generations({
      trainer,
      best: this.#best,
      text: parts.text,
      emit,
      runEnded: () => control.state === 'end' || this.#releasing,
    });
    this.#jobs = new Jobs(control);
  }

  /** Creates the trainer, which compiles its programs. Throws what Trainer.create throws. */
  static async create(
    parts: RunParts,
    start: RunStart,
    surroundings: RunSurroundings,
  ): Promise<ActiveRun> {
    const made = await makeTrainer(parts, start, surroundings);
    return new ActiveRun(parts, start, surroundings, made);
  }

  get id(): string {
    return this.#parts.id;
  }
  get name(): string {
    return this.#parts.name;
  }
  get config(): RunConfig {
    return this.trainer.config;
  }
  get tokenizer(): Tokenizer {
    return this.#parts.text.tokenizer;
  }

  /** Step of the newest checkpoint of this run in storage; null if there is none. */
  get savedStep(): number | null {
    return this.#saver.savedStep;
  }

  /** What the run started from, while storage has no checkpoint of it. */
  get origin(): StartingPoint | null {
    return this.#saver.origin;
  }

  /** Tells the page that the run is ready. `history`: its metrics so far. */
  announce(history: MetricColumns | null): void {
    const { id, name, settled, objective, lineage, text } = this.#parts;
    const { step, n_params, precision, lr_multiplier } = this.trainer;
    const usesFloat16 = precision.mixed_precision === 'fp16';
    this.#surroundings.emit({
      type: 'started',
      run: id,
      name,
      config: settled.config,
      step,
      saved_step: this.#saver.savedStep,
      n_params,
      planned_bytes: settled.plan.memory.total,
      precision: { ...precision, subgroup_matrices: usesFloat16 && this.#subgroupMatrices },
      lr_multiplier,
      lineage,
      stage: text.stage?.config ?? null,
      metrics: objective.metrics,
      charts: objective.charts,
      history,
      restored: this.#restored,
      best: this.#best.best,
    });
    this.#restored = null;
    this.#hooks.reportRefusal();
  }

  /** Runs the training loop to its end. Throws LossExploded, and what the device throws. */
  async train(): Promise<FinishReason> {
    this.#hooks.phase('training');
    const state = Object.assign(this.#progress, {
      trainer: this.trainer,
      control: this.control,
      buffer: this.#buffer,
      hooks: this.#hooks,
    });
    try {
      return await trainLoop(state);
    } catch (error) {
      // The steps that exploded, and the learning rate that they had, are what the charts should show.
      if (error instanceof LossExploded && this.#buffer.size > 0) this.#hooks.metrics(this.#buffer);
      throw error;
    }
  }

  /**
   * After the last step: waits, and does what the user requests. True when they continue
   * training, false when the run is to end.
   */
  async idle(): Promise<boolean> {
    for (;;) {
      this.control.set('pause');
      if (await this.control.gate(() => Promise.resolve())) return true;
      if (this.control.state === 'end') return false;
    }
  }

  setSampling(sampling: SamplingConfig): void {
    this.config.sampling = sampling;
    this.#changed = true;
  }

  /**
   * Scales the schedule of the learning rate, from the next step on. Ignored unless positive. A paused
   * run is saved with it: the page may be closed before another step makes a checkpoint due.
   */
  setLrMultiplier(multiplier: number): void {
    if (!(multiplier > 0 && Number.isFinite(multiplier))) return;
    this.trainer.lr_multiplier = multiplier;
    this.#changed = true;
    if (this.control.state !== 'pause' || this.#multiplierSaveQueued) return;
    this.#multiplierSaveQueued = true;
    this.control.between(() => {
      this.#multiplierSaveQueued = false;
      return this.#hooks.save();
    });
  }

  /** Keeps how the page looks at the run. Storage that refuses is no error: nothing else is lost. */
  async keepView(view: RunView): Promise<void> {
    try {
      await this.#parts.storage.saveView(view);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
    }
  }

  /** Generates between two steps. Rejects with what the model or the tokenizer throws. */
  generate(request: GenerationRequest): Promise<GenerationEnd> {
    return this.#jobs.add(() => this.#generations.generate(request));
  }

  stopGeneration(id: number): void {
    this.#generations.stop(id);
  }

  /** Runs `work` between two steps. Rejects with what it throws, or if the run ends before. */
  between<T>(work: (trainer: RunTrainer) => Promise<T>): Promise<T> {
    return this.#jobs.add(() => work(this.trainer));
  }

  /** Saves between two steps. Rejects with a CheckpointError if storage refuses. */
  save(): Promise<{ step: number; bytes: number }> {
    return this.#jobs.add(() => this.#saver.save());
  }

  /** Saves as the loop does: reports the result to the page; a failure does not end the run. */
  keep(): Promise<void> {
    return this.#jobs.add(async () => {
      await this.#hooks.save();
      if (this.#saver.savedStep === null) this.#progress.saved_step = -1;
    });
  }

  /**
   * Saves what no checkpoint has yet and ends the run: no step is taken after the save. Resolves to
   * the step of the last checkpoint, or null if there is nothing to keep. Rejects with a
   * CheckpointError if storage refuses, and then the run goes on.
   */
  async release(): Promise<number | null> {
    this.#releasing = true;
    try {
      return await this.#jobs.add(async () => {
        if (this.#saver.isBehind) await this.#saver.save();
        // The checkpoint of this step exists, so a refusal loses only a setting.
        else if (this.#changed) await this.#saver.save().catch(() => undefined);
        this.end();
        return this.#saver.savedStep;
      });
    } finally {
      this.#releasing = false;
    }
  }

  /** Rejects what waits for the lost device, saves nothing more of it, and wakes a paused loop. */
  deviceLost(error: DeviceLost): void {
    this.#saver.stop(error);
    this.#jobs.close(error);
    this.control.between(() => Promise.reject(error));
  }

  /** A checkpoint as a zip, with what belongs to the run, made between two steps. */
  export(what: ExportChoice = 'last'): Promise<{ name: string; bytes: Uint8Array }> {
    return this.#jobs.add(async () => {
      const best = this.#best.best || what === 'best' ? await this.#best.state() : null;
      const last = what === 'best' ? null : await this.#saver.checkpoint();
      return exportRun(this.#parts, { last, best }, what);
    });
  }

  /** Ends the run: no more steps, and running generations stop. */
  end(): void {
    this.control.set('end');
  }

  /** Saves the metrics, closes the run's storage and frees the trainer's memory. */
  async close(): Promise<void> {
    await this.closeStorage();
    this.abandon();
  }

  /** Saves the metrics, as far as storage allows, and closes the run's storage. */
  closeStorage(): Promise<void> {
    return this.#saver.close();
  }

  /** Frees the trainer, whose device may be lost, and leaves the run's storage open. */
  abandon(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#best.dispose();
    this.#jobs.close(
      new CheckpointError(
        'run_missing',
        'The run ended before this was done.',
        'Resume the run and try again.',
      ),
    );
    try {
      this.trainer.dispose();
    } catch {
      // The buffers were lost with the device.
    }
  }
}
