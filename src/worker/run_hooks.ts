/** What the training loop of a run calls: it reports to the page, draws samples and saves. */
import { CheckpointError } from '../checkpoint/index.ts';
import type { MetricColumns, MetricRow } from '../common/index.ts';
import type { Concern, Event, PlainError } from '../protocol/index.ts';
import type { Control, LoopHooks, LoopPhase, MetricBuffer } from '../train/index.ts';
import { plainError } from './plain_errors.ts';
import type { RunParts, RunSurroundings } from './run_parts.ts';
import { drawSamples } from './samples.ts';
import type { RunSaver } from './saving.ts';
import type { RunTrainer } from './services.ts';

const OVERFLOW_NOTICE =
  'A float16 value overflowed, so a step was skipped and the loss scale halved; now and then that is normal.';

const RESTORED_NOTICE =
  'The saved files of this run were gone, as after clearing the data of this site; ' +
  'the run was saved again with its text and its metrics.';

/** Parts of the run that its hooks use. */
export interface HookedRun {
  parts: RunParts;
  trainer: RunTrainer;
  control: Control;
  saver: RunSaver;
}

export class RunHooks implements LoopHooks {
  readonly #run: HookedRun;
  readonly #surroundings: RunSurroundings;
  #overflowNoticed = false;
  /** What may have failed, in this run or before it was recovered, and has not succeeded since. */
  readonly #failing = new Set<Concern>(['save', 'metrics', 'samples']);

  constructor(run: HookedRun, surroundings: RunSurroundings) {
    this.#run = run;
    this.#surroundings = surroundings;
    run.parts.storage.onRestored = () => this.#emit({ type: 'notice', message: RESTORED_NOTICE });
  }

  /** Tells the page if storage was too full for the run to begin there. */
  reportRefusal(): void {
    const { refusal } = this.#run.parts.storage;
    if (refusal) this.#tell('save', plainError(refusal));
  }

  phase(phase: LoopPhase): void {
    const { trainer } = this.#run;
    const progress = trainer.step / trainer.config.training.max_iters;
    this.#emit({ type: 'phase', phase, detail: '', progress });
  }

  metrics(buffer: MetricBuffer): void {
    const { saver } = this.#run;
    const columns = buffer.flush();
    this.#noticeOverflow(columns);
    const message = this.#run.trainer.takeNotice();
    if (message) this.#noticeOfRun(message);
    saver.addMetrics(columns);
    this.#emit({ type: 'metrics', columns });
    if (saver.metricsAreDue) void this.#writeMetrics();
  }

  async #writeMetrics(): Promise<void> {
    try {
      await this.#run.saver.writeMetrics();
      this.#resolve('metrics');
    } catch (error) {
      const message =
        'The metrics of the latest steps could not be stored; they stay in this tab until they can.';
      this.#tell('metrics', { ...plainError(error), message });
    }
  }

  /** A failure does not stop the training. */
  async sample(): Promise<Partial<MetricRow>> {
    const { parts, trainer, control, saver } = this.#run;
    try {
      const source = {
        generator: await trainer.generation(),
        text: parts.text,
        stopped: () => control.state === 'stop' || control.state === 'end',
      };
      const novel = await drawSamples(source, trainer.config.sampling, trainer.step, (sample) => {
        saver.addSample(sample);
        this.#emit({ type: 'sample', sample });
      });
      this.#resolve('samples');
      return Number.isNaN(novel) ? {} : { 'sample/novel': novel };
    } catch (error) {
      const plain = plainError(error);
      const message = `No samples could be written at step ${trainer.step}. ${plain.message}`;
      this.#tell('samples', { ...plain, message });
      return {};
    }
  }

  best(score: number): Promise<void> {
    return this.#run.saver.noteBest(score);
  }

  /** A failed save does not stop the training: the error is reported to the page. */
  async save(): Promise<void> {
    try {
      const { step, bytes } = await this.#run.saver.save();
      this.#emit({ type: 'saved', run: this.#run.parts.id, step, bytes });
      this.#resolve('save');
      this.#resolve('metrics');
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      this.#tell('save', plainError(error));
    }
  }

  measure(): Partial<MetricRow> {
    return this.#surroundings.services.measureMemory();
  }

  slept(seconds: number): void {
    const minutes = Math.max(1, Math.round(seconds / 60));
    const message =
      'The computer slept, or the browser suspended this tab, for about ' +
      `${minutes} minutes; training continues from where it was.`;
    this.#emit({ type: 'notice', message });
  }

  #noticeOverflow(columns: MetricColumns): void {
    if (!columns.skipped_steps || this.#overflowNoticed) return;
    this.#overflowNoticed = true;
    this.#noticeOfRun(OVERFLOW_NOTICE);
  }

  #noticeOfRun(message: string): void {
    this.#emit({ type: 'notice', message, run: this.#run.parts.id });
  }

  #tell(concerns: Concern, error: PlainError): void {
    this.#failing.add(concerns);
    this.#emit({ type: 'error', concerns, error });
  }

  #resolve(concerns: Concern): void {
    if (this.#failing.delete(concerns)) this.#emit({ type: 'resolved', concerns });
  }

  #emit(event: Event): void {
    this.#surroundings.emit(event);
  }
}
