/** One run in this worker: its trainer, its place in storage, and what it tells the page. */
import { gpuMemory, maxBindingSize, onWebGpu } from '../backend/index.ts';
import { CheckpointError, type CheckpointState, type OpenRun } from '../checkpoint/index.ts';
import type { FinishReason, MetricColumns, MetricRow } from '../common/index.ts';
import type { RunConfig, SamplingConfig } from '../config/index.ts';
import { planRun } from '../plan/index.ts';
import type { Event, StartMark, TokenPiece } from '../protocol/index.ts';
import { Control, MetricBuffer, Trainer, trainLoop, type TrainerState } from '../train/index.ts';
import { plainError } from './plain_errors.ts';
import { drawSamples, generatePieces } from './samples.ts';
import type { PreparedText } from './text.ts';
import { setTunedProducts } from './tuned.ts';
import { DEFAULT_OBJECTIVE } from '../objectives/index.ts';

/** What a run goes on from. */
export interface From {
  state: TrainerState;
  elapsed_seconds: number;
  best_val_loss: number | null;
}

export interface RunParts {
  id: string;
  adapter: string;
  name: string;
  config: RunConfig;
  text: PreparedText;
  vocab_size: number;
  storage: OpenRun;
  emit: (event: Event) => void;
  mark: (mark: StartMark) => void;
}

/** Metrics go to storage this often, and with every checkpoint. */
const METRICS_MS = 5000;
/** Tokens wait this long for others. */
const TELL_MS = 16;

export class ActiveRun {
  readonly control: Control;
  /** There is a checkpoint of this run in storage. */
  saved = false;
  private readonly buffer = new MetricBuffer();
  private readonly stoppedGenerations = new Set<number>();
  private toldOfSkipped = false;
  private unsaved: MetricColumns[] = [];
  private metricsSaved = performance.now();
  private elapsed: { seconds: number; best_val_loss: number | null } = {
    seconds: 0,
    best_val_loss: null,
  };

  private constructor(
    private readonly p: RunParts,
    readonly trainer: Trainer,
    paused: boolean,
    private readonly subgroup_matrices: boolean,
  ) {
    this.control = new Control(paused ? 'pause' : 'run');
  }

  static async create(p: RunParts, from: From | null, paused: boolean): Promise<ActiveRun> {
    const { emit } = p;
    emit({ type: 'phase', phase: 'compiling', detail: 'Preparing the model.', progress: 0 });
    const { subgroup_matrices } = await setTunedProducts(p.adapter, p.id, p.config);
    const trainer = await Trainer.create({
      config: p.config,
      objective: DEFAULT_OBJECTIVE,
      split: p.text.tokens,
      vocab_size: p.vocab_size,
      from: from?.state ?? null,
      compiling: (done) => {
        if (done > 0) p.mark('traced');
        emit({
          type: 'phase',
          phase: 'compiling',
          detail: 'Compiling the programs for your device.',
          progress: done,
        });
      },
    });
    p.mark('compiled');
    const run = new ActiveRun(p, trainer, paused, subgroup_matrices);
    run.saved = from !== null && from.state.step > 0;
    run.elapsed = {
      seconds: from?.elapsed_seconds ?? 0,
      best_val_loss: from?.best_val_loss ?? null,
    };
    return run;
  }

  /** Sets the multiplier so that the next step has this rate. */
  setLearningRate(rate: number): void {
    const { trainer } = this;
    trainer.lr_multiplier *= rate / trainer.currentLearningRate;
  }

  get id(): string {
    return this.p.id;
  }
  get config(): RunConfig {
    return this.trainer.config;
  }

  /** Tells the page that the run is there, with its metrics so far. */
  announce(history: MetricColumns | null): void {
    const { id, name, config, emit, vocab_size } = this.p;
    const { precision } = this.trainer;
    const computed = {
      ...config,
      training: { ...config.training, mixed_precision: precision.mixed_precision },
    };
    emit({
      type: 'started',
      run: id,
      name,
      config,
      step: this.trainer.step,
      n_params: this.trainer.n_params,
      planned_bytes: planRun(computed, { vocab_size, max_binding_size: maxBindingSize() }).memory
        .total,
      precision: {
        ...precision,
        subgroup_matrices: precision.mixed_precision === 'fp16' && this.subgroup_matrices,
      },
      history,
    });
  }

  /** Runs the loop to its end. What it throws, the caller turns into a sentence. */
  async train(): Promise<FinishReason> {
    const { emit } = this.p;
    const loop = Object.assign(this.elapsed, {
      trainer: this.trainer,
      control: this.control,
      buffer: this.buffer,
      hooks: {
        phase: (phase: 'training' | 'evaluating' | 'sampling' | 'saving' | 'paused') =>
          emit({
            type: 'phase',
            phase,
            detail: '',
            progress: this.trainer.step / this.config.training.max_iters,
          }),
        metrics: (buffer: MetricBuffer) => this.flush(buffer.flush()),
        sample: () => this.sample(),
        save: () => this.save(),
        measure,
        slept: (seconds: number) =>
          emit({
            type: 'notice',
            message: `The computer slept, or the browser put this tab to sleep, for about ${Math.max(1, Math.round(seconds / 60))} minutes; the training goes on from where it was.`,
          }),
      },
    });
    emit({
      type: 'phase',
      phase: 'training',
      detail: '',
      progress: this.trainer.step / this.config.training.max_iters,
    });
    return trainLoop(loop);
  }

  setSampling(sampling: SamplingConfig): void {
    this.config.sampling = sampling;
  }

  /** Generates between two steps. */
  generate(id: number, prompt: string, sampling: SamplingConfig): void {
    const { emit, text } = this.p;
    this.control.between(async () => {
      let made = 0;
      let waiting: TokenPiece[] = [];
      const tell = (): void => {
        if (waiting.length > 0) emit({ type: 'token', id, pieces: waiting });
        waiting = [];
      };
      try {
        const cancelled = (): boolean =>
          this.stoppedGenerations.has(id) || this.control.state === 'end';
        for await (const piece of generatePieces(
          await this.trainer.generation(),
          text,
          prompt,
          sampling,
          cancelled,
        )) {
          made++;
          // Many come at once: the page draws them together.
          if (waiting.push(piece) === 1) setTimeout(tell, TELL_MS);
        }
        tell();
        emit({
          type: 'generation_done',
          id,
          reason: cancelled() ? 'cancelled' : made < sampling.max_new_tokens ? 'stop' : 'length',
        });
      } catch (error) {
        tell();
        emit({ type: 'error', error: plainError(error) });
        emit({ type: 'generation_done', id, reason: 'cancelled' });
      }
    });
  }
  /** Measures a step between two steps. */
  profile(): void {
    const { emit, config } = this.p;
    const failed = (why: string): void => emit({ type: 'profile', profile: null, why });
    this.control.between(async () => {
      try {
        const { profileStep } = await import('./profile.ts');
        emit({
          type: 'profile',
          profile: await profileStep(this.trainer, config.training.gradient_accumulation_steps),
          why: '',
        });
      } catch (error) {
        failed(error instanceof Error ? error.message : String(error));
      }
    });
  }
  stopGeneration(id: number): void {
    this.stoppedGenerations.add(id);
  }

  /** The whole state, as a checkpoint keeps it. */
  async checkpoint(): Promise<CheckpointState> {
    const { parameters, optimizer, step, tokens, loss_scale } = await this.trainer.state();
    return {
      config: this.config,
      model: this.trainer.model,
      parameters,
      optimizer,
      step,
      tokens,
      elapsed_seconds: this.elapsed.seconds,
      tokenizer: this.p.text.tokenizer,
      best_val_loss: this.elapsed.best_val_loss,
      loss_scale,
    };
  }

  /**
   * Saves to storage. Storage that is full is said and does not stop the training: the last
   * checkpoint stays.
   */
  async save(): Promise<void> {
    const { storage, emit, id } = this.p;
    try {
      await this.saveMetrics();
      const state = await this.checkpoint();
      const bytes = await storage.save(state);
      this.saved = true;
      emit({ type: 'saved', run: id, step: state.step, bytes });
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      emit({ type: 'error', error: plainError(error) });
    }
  }

  /** No step more, and no word of a generation. */
  end(): void {
    this.control.set('end');
  }

  async close(): Promise<void> {
    await this.closeStorage().catch(() => undefined);
    this.trainer.dispose();
  }

  /** Lets go of the trainer, whose device may be gone, and keeps the place in storage. */
  abandon(): void {
    try {
      this.trainer.dispose();
    } catch {
      /* its buffers went with the device */
    }
  }
  async closeStorage(): Promise<void> {
    await this.saveMetrics();
    await this.p.storage.close();
  }

  /**
   * After the last step: does jobs (generate, export, save). True when the person wants to train
   * on, false at the end.
   */
  async idle(): Promise<boolean> {
    this.control.set('pause');
    for (;;) {
      if (await this.control.gate(() => Promise.resolve())) return true;
      if (this.control.state === 'end') return false;
      this.control.set('pause');
    }
  }

  /** Name of the exported file, without its ending. */
  get fileName(): string {
    return this.p.name.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60) || 'terrarium';
  }

  /** All metrics so far. */
  async metrics(): Promise<MetricColumns> {
    await this.saveMetrics();
    return this.p.storage.readMetrics();
  }

  private flush(columns: MetricColumns): void {
    if (columns.skipped_steps && !this.toldOfSkipped) {
      this.toldOfSkipped = true;
      this.p.emit({
        type: 'notice',
        message:
          'A number was too large for half precision, so a step was left out and the loss scale halved; now and then that is normal.',
      });
    }
    this.unsaved.push(copyColumns(columns));
    this.p.emit({ type: 'metrics', columns });
    if (performance.now() - this.metricsSaved > METRICS_MS)
      void this.saveMetrics().catch((error: unknown) =>
        this.p.emit({ type: 'error', error: plainError(error) }),
      );
  }

  private async saveMetrics(): Promise<void> {
    this.metricsSaved = performance.now();
    const parts = this.unsaved;
    this.unsaved = [];
    for (const columns of parts) await this.p.storage.appendMetrics(columns);
  }

  private async sample(): Promise<Partial<MetricRow>> {
    const { text, emit } = this.p;
    try {
      const novel = await drawSamples(
        await this.trainer.generation(),
        text,
        this.config.sampling,
        this.trainer.step,
        (sample) => emit({ type: 'sample', sample }),
        () => this.control.state === 'stop' || this.control.state === 'end',
      );
      return Number.isNaN(novel) ? {} : { 'sample/novel': novel };
    } catch (error) {
      // What can go wrong in writing a sample must not end the training.
      emit({ type: 'error', error: plainError(error) });
      return {};
    }
  }
}

const copyColumns = (columns: MetricColumns): MetricColumns => {
  const copy: MetricColumns = { step: columns.step.slice() };
  for (const [name, values] of Object.entries(columns)) copy[name] = values.slice();
  return copy;
};

/** What the worker can tell of its memory now (of its heap it cannot: the page does). */
function measure(): Partial<MetricRow> {
  const row: Partial<MetricRow> = {};
  if (onWebGpu()) {
    const m = gpuMemory();
    row.gpu_bytes = m.allocated;
    row.gpu_live_bytes = m.live;
  }
  return row;
}
