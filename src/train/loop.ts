/**
 * The training loop, to be read from top to bottom: evaluate, sample, save, step. It does not know
 * which objective it runs, nor who listens.
 */
import type { FinishReason, MetricRow } from '../common/index.ts';
import { Clock } from './clock.ts';
import { breathe, type Control } from './control.ts';
import { MetricBuffer } from './metrics.ts';
import type { StepResult, Trainer } from './trainer.ts';

export type LoopPhase = 'training' | 'evaluating' | 'sampling' | 'saving' | 'paused';

export interface LoopHooks {
  phase(phase: LoopPhase): void;
  metrics(buffer: MetricBuffer): void;
  /**
   * Writes samples and gives the share that is not in the training text, NaN where there was none.
   */
  sample(): Promise<number>;
  save(): Promise<void>;
  /**
   * The computer slept between two steps, for about so many seconds; they do not count as training.
   */
  slept(seconds: number): void;
  /** What else to put into a row: memory. */
  measure(): Partial<MetricRow>;
}

/** The loss is no number any more, or has grown far beyond chance: the weights are lost. */
export class LossExploded extends Error {
  constructor(
    readonly step: number,
    readonly loss: number,
  ) {
    super(
      Number.isFinite(loss)
        ? `The loss exploded to ${loss.toFixed(1)} at step ${step}.`
        : `The loss is not a number at step ${step}.`,
    );
  }
}

const FLUSH_MS = 100;

/** What the loop needs of a Trainer. */
export type LoopTrainer = Pick<
  Trainer,
  | 'config'
  | 'model'
  | 'step'
  | 'tokens'
  | 'skipped_steps'
  | 'tokensPerStep'
  | 'learningRateAt'
  | 'takeStep'
  | 'follow'
  | 'drain'
  | 'evaluate'
>;

export interface LoopState {
  trainer: LoopTrainer;
  control: Control;
  hooks: LoopHooks;
  buffer: MetricBuffer;
  seconds: number;
  best_val_loss: number | null;
  /** Training losses of the loop's first step and of the latest that was read. */
  first_loss?: number;
  last_loss?: number;
  /** Steps in a row that were left out, up to the latest (mixed precision). */
  skipped_in_a_row?: number;
}

/**
 * Runs until a limit is reached or the person stops it. Throws LossExploded, and whatever the
 * device throws.
 */
export async function trainLoop(s: LoopState): Promise<FinishReason> {
  const { trainer, control, hooks } = s;
  const { training: t, sampling, runtime } = trainer.config;
  const clock = new Clock(s, (seconds) => hooks.slept(seconds));
  // The first loss comes before the first samples, whose programs are then still to be compiled.
  const begun = trainer.step;
  let evaluated = -1;
  let sampled = begun === 0 ? 0 : -1;
  let saved = begun;
  s.first_loss = s.last_loss = undefined;
  for (;;) {
    const step = trainer.step;
    const reason = limitReached(trainer, s.seconds);
    if (reason ?? due(step, t.eval_interval)) {
      if (evaluated !== step) {
        evaluated = step;
        await evaluateNow(s, clock);
      }
    }
    if (
      sampling.sample_interval > 0 &&
      (reason ?? (due(step, sampling.sample_interval) || (step === 1 && begun === 0))) &&
      sampled !== step
    ) {
      sampled = step;
      await sampleNow(s, clock);
    }
    if (step > saved && runtime.autosave_interval > 0 && due(step, runtime.autosave_interval)) {
      await collect(s, clock);
      if (!diverging(s)) {
        saved = step;
        await saveNow(s, clock);
      }
    }
    if (reason) {
      if (step > saved) await saveNow(s, clock);
      return reason;
    }
    // What a job saves or shows is as far as the weights are.
    if (control.hasJob) await collect(s, clock);
    const go = await control.gate(async () => {
      await collect(s, clock);
      if (trainer.step > saved) {
        saved = trainer.step;
        await saveNow(s, clock);
      }
      hooks.phase('paused');
      clock.pause();
    });
    if (!go) {
      await collect(s, clock);
      if (trainer.step > saved) await saveNow(s, clock);
      return 'stopped';
    }
    clock.leaveOut(control.takeJobMs());
    if (clock.resume()) hooks.phase('training');
    trainer.takeStep();
    clock.stepped();
    if (step === begun) await collect(s, clock);
    else await follow(s, clock);
  }
}

const due = (step: number, interval: number): boolean => step % interval === 0;

function limitReached(trainer: LoopTrainer, seconds: number): FinishReason | null {
  const { max_iters, max_tokens, max_seconds } = trainer.config.training;
  if (trainer.step >= max_iters) return 'max_iters';
  if (max_tokens > 0 && trainer.tokens >= max_tokens) return 'max_tokens';
  if (max_seconds > 0 && seconds >= max_seconds) return 'max_seconds';
  return null;
}

/** Waits for all steps so far, writes their rows and tells them, and lets the worker answer. */
async function collect(s: LoopState, clock: Clock): Promise<void> {
  record(s, clock, await s.trainer.drain());
  flush(s, clock);
  await breathe();
}

/** The same for what has arrived, while later steps are under way: told at most every FLUSH_MS. */
async function follow(s: LoopState, clock: Clock): Promise<void> {
  const results = await s.trainer.follow(clock.flushDue(FLUSH_MS));
  record(s, clock, results);
  if (results.length > 0 && clock.flushDue(FLUSH_MS)) flush(s, clock);
  if (results.length > 0 || clock.breathDue()) await breathe();
}

function flush(s: LoopState, clock: Clock): void {
  if (s.buffer.size > 0) s.hooks.metrics(s.buffer);
  clock.flushed();
}

function record(s: LoopState, clock: Clock, results: readonly StepResult[]): void {
  const last = results[results.length - 1];
  if (!last) return;
  const { slept } = clock.recorded();
  for (const r of results)
    s.buffer.add({
      ...rowOf(s, r),
      ...(slept || !(r.ms > 0)
        ? {}
        : { step_ms: r.ms, 'train/tok_per_sec': (1000 * s.trainer.tokensPerStep) / r.ms }),
    });
  s.first_loss ??= results.find((r) => !r.skipped)?.loss;
  s.last_loss = results.findLast((r) => !r.skipped)?.loss ?? s.last_loss;
  s.buffer.add({ step: last.step, ...s.hooks.measure() });
  checkLoss(s, results);
}

function rowOf({ trainer, seconds }: LoopState, r: StepResult): MetricRow {
  return {
    step: r.step,
    tokens: r.step * trainer.tokensPerStep,
    seconds,
    ...(r.skipped
      ? { skipped_steps: trainer.skipped_steps }
      : { 'train/loss': r.loss, 'train/accuracy': r.accuracy, grad_norm: r.grad_norm }),
    lr: trainer.learningRateAt(r.step - 1),
  };
}

/**
 * Every step that is left out halves the loss scale: after so many in a row it is not the scale
 * that is too large.
 */
const MOST_SKIPPED = 32;

/**
 * Chance is ln(vocab_size): three times that, or no number, and nothing is to be learned any more.
 */
function checkLoss(s: LoopState, results: readonly StepResult[]): void {
  const bound = 3 * Math.log(s.trainer.model.vocab_size) + 3;
  for (const r of results) {
    s.skipped_in_a_row = r.skipped ? (s.skipped_in_a_row ?? 0) + 1 : 0;
    const exploded = r.skipped
      ? s.skipped_in_a_row > MOST_SKIPPED
      : !Number.isFinite(r.loss) || !Number.isFinite(r.grad_norm) || r.loss > bound;
    if (exploded) throw new LossExploded(r.step, r.loss);
  }
}

/**
 * Worse than chance, and than the loop's first loss, by a nat: on its way to explode, and nothing
 * to write over a good checkpoint.
 */
const diverging = ({ trainer, first_loss = 0, last_loss = 0 }: LoopState): boolean =>
  last_loss > Math.max(first_loss, Math.log(trainer.model.vocab_size)) + 1;

async function evaluateNow(s: LoopState, clock: Clock): Promise<void> {
  await collect(s, clock);
  s.hooks.phase('evaluating');
  clock.pause();
  const { loss, accuracy, bpb } = await s.trainer.evaluate(breathe);
  if (!Number.isFinite(loss)) throw new LossExploded(s.trainer.step, loss);
  s.best_val_loss = Math.min(s.best_val_loss ?? Infinity, loss);
  s.buffer.add({
    step: s.trainer.step,
    tokens: s.trainer.tokens,
    seconds: s.seconds,
    'val/loss': loss,
    'val/accuracy': accuracy,
    'val/bpb': bpb,
    'val/perplexity': Math.exp(loss),
  });
  s.hooks.metrics(s.buffer);
  clock.resume();
  s.hooks.phase('training');
}

async function sampleNow(s: LoopState, clock: Clock): Promise<void> {
  await collect(s, clock);
  s.hooks.phase('sampling');
  clock.pause();
  const novel = await s.hooks.sample();
  if (!Number.isNaN(novel)) s.buffer.add({ step: s.trainer.step, 'sample/novel': novel });
  clock.resume();
  s.hooks.phase('training');
}

async function saveNow(s: LoopState, clock: Clock): Promise<void> {
  await collect(s, clock);
  s.hooks.phase('saving');
  clock.pause();
  await s.hooks.save();
  clock.resume();
  s.hooks.phase('training');
}
