/** The training loop over a slow device: what is in flight, and what must be complete. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RingRead } from '../backend/index.ts';
import { defaultConfig, resolveModel } from '../config/index.ts';
import { pretrain } from '../objectives/index.ts';
import { Control } from './control.ts';
import { IN_FLIGHT, StepsInFlight, type TimedEntry } from './in_flight.ts';
import { type LoopPhase, type LoopState, type LoopTrainer, trainLoop } from './loop.ts';
import type { Evaluation } from './evaluate.ts';
import { LossExploded } from './loss_exploded.ts';
import { MetricBuffer } from './metrics.ts';
import type { StepResult } from './trainer.ts';

/** Time is virtual, and JavaScript takes none of it. */
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Runs the steps that are sent to it one after the other, each in `ms`. */
class FakeDevice {
  readonly #ms: number;
  /** What to call when each of the queued steps is done; the first one is running. */
  readonly #queue: (() => void)[][] = [];
  /** Number of steps sent before each step that found the device idle. */
  readonly idleAt: number[] = [];
  sent = 0;
  done = 0;

  constructor(ms: number) {
    this.#ms = ms;
  }

  get inFlight(): number {
    return this.sent - this.done;
  }

  step(): void {
    const idle = this.#queue.length === 0;
    if (idle) this.idleAt.push(this.sent);
    this.sent++;
    this.#queue.push([]);
    if (idle) this.#run();
  }

  /** Resolves when all steps sent so far are done. */
  finished(): Promise<void> {
    return new Promise((resolve) => {
      const last = this.#queue.at(-1);
      if (last) last.push(resolve);
      else resolve();
    });
  }

  #run(): void {
    setTimeout(() => {
      this.done++;
      for (const resolve of this.#queue.shift() ?? []) resolve();
      if (this.#queue.length > 0) this.#run();
    }, this.#ms);
  }
}

/** A ring over the fake device. */
class FakeRing {
  readonly immediate = false;
  /** Steps sent to the device while each read was waiting for its results. */
  readonly sentBehind: number[] = [];
  readonly #device: FakeDevice;
  readonly #lossAt: (step: number) => number;
  #unread: number[] = [];

  constructor(device: FakeDevice, lossAt: (step: number) => number) {
    this.#device = device;
    this.#lossAt = lossAt;
  }

  get pending(): number {
    return this.#unread.length;
  }

  get full(): boolean {
    return this.#unread.length >= IN_FLIGHT;
  }

  push(step: number): void {
    this.#unread.push(step);
  }

  read(): RingRead | null {
    const steps = this.#unread;
    this.#unread = [];
    if (steps.length === 0) return null;
    const { sent } = this.#device;
    const entries = this.#device.finished().then(() => {
      this.sentBehind.push(this.#device.sent - sent);
      return steps.map((step) => ({ step, values: Float32Array.of(this.#lossAt(step)) }));
    });
    const read: RingRead = { steps: steps.length, arrived: null, entries };
    void entries.then(() => {
      read.arrived = performance.now();
    });
    return read;
  }
}

interface FakeOptions {
  /** Milliseconds of a step. */
  ms: number;
  training?: Partial<ReturnType<typeof defaultConfig>['training']>;
  lossAt?: (step: number) => number;
  objective?: LoopTrainer['objective'];
  evaluation?: Evaluation;
}

const EVALUATION: Evaluation = {
  metrics: { 'val/loss': 2.5, 'val/accuracy': 0, 'val/bpb': 1 },
  score: 2.5,
};

function fakeTrainer(options: FakeOptions) {
  const { ms, training, lossAt = (step) => 3 - step / 1000 } = options;
  const { objective = pretrain, evaluation = EVALUATION } = options;
  const config = defaultConfig();
  Object.assign(config.training, { max_iters: 160, eval_interval: 1000 }, training);
  config.sampling.sample_interval = 0;
  config.runtime.autosave_interval = 0;
  const device = new FakeDevice(ms);
  const ring = new FakeRing(device, lossAt);
  const inFlight = new StepsInFlight(ring);
  /** Steps that the device had done at each evaluation. */
  const evaluatedAt: number[] = [];
  /** Steps in flight after each step. */
  const inFlightAfter: number[] = [];
  const trainer = {
    config,
    model: resolveModel(config.model, 28),
    objective,
    step: 0,
    tokens: 0,
    skipped_steps: 0,
    tokensPerStep: 64,
    learningRateAt: () => 0.01,
    takeStep(): void {
      inFlight.begin();
      device.step();
      ring.push(++trainer.step);
      trainer.tokens += 64;
      inFlightAfter.push(device.inFlight);
    },
    follow: async (soon: boolean) => resultsOf(await inFlight.follow(soon)),
    drain: async () => resultsOf(await inFlight.all()),
    async evaluate() {
      evaluatedAt.push(device.done);
      expect(device.inFlight).toBe(0);
      return evaluation;
    },
  } satisfies LoopTrainer;
  return { trainer, device, ring, evaluatedAt, inFlightAfter };
}

function resultsOf(entries: readonly TimedEntry[]): StepResult[] {
  return entries.map(({ step, values, ms }) => {
    const loss = values[0] ?? NaN;
    const metrics = { 'train/loss': loss, 'train/accuracy': 0 };
    return { step, ms, loss, metrics, grad_norm: 1, skipped: false };
  });
}

type OnPhase = (phase: LoopPhase, control: Control) => void;

/** Starts the loop and records what it reports. */
function startLoop(trainer: LoopTrainer, onPhase: OnPhase = () => undefined) {
  const control = new Control();
  const steps: number[] = [];
  const stepMs: number[] = [];
  const flushedAt: number[] = [];
  /** Steps of the attempts to save, which fail while the storage is full. */
  const savedAt: number[] = [];
  const storage = { isFull: false };
  const state: LoopState = {
    trainer,
    control,
    buffer: new MetricBuffer(),
    seconds: 0,
    best_val_loss: null,
    hooks: {
      phase: (phase) => onPhase(phase, control),
      sample: async () => ({}),
      save: async () => {
        savedAt.push(trainer.step);
        if (!storage.isFull) state.saved_step = trainer.step;
      },
      measure: () => ({}),
      slept: () => undefined,
      metrics: (buffer) => {
        flushedAt.push(performance.now());
        const columns = buffer.flush();
        columns.step.forEach((step, row) => {
          if (Number.isNaN(columns['train/loss']?.[row] ?? NaN)) return;
          steps.push(step);
          stepMs.push(columns.step_ms?.[row] ?? NaN);
        });
      },
    },
  };
  const running = trainLoop(state);
  /** Lets the loop run to its end; resolves to its reason or its error. */
  const end = async (): Promise<unknown> => {
    const ended = running.catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    return ended;
  };
  return { state, control, steps, stepMs, flushedAt, savedAt, storage, end };
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

describe('the loop over a slow device', () => {
  it('keeps the device busy except after the first step and before an evaluation', async () => {
    const { trainer, device, ring, evaluatedAt } = fakeTrainer({ ms: 1 });
    const loop = startLoop(trainer);
    expect(await loop.end()).toBe('max_iters');
    // The first loss is shown before the second step is submitted.
    expect(device.idleAt).toEqual([0, 1]);
    const behind = ring.sentBehind;
    expect(behind.length).toBeGreaterThan(6);
    // The first and the last read cover everything; behind the others, half of the in-flight limit
    // was submitted.
    expect([behind[0], behind.at(-1)]).toEqual([0, 0]);
    expect(Math.min(...behind.slice(1, -2))).toBeGreaterThanOrEqual(IN_FLIGHT / 2 - 1);
    expect(loop.steps).toEqual(upTo(160));
    expect(evaluatedAt).toEqual([0, 160]);
  });

  it('reports the device time of each step, also around evaluations', async () => {
    const { trainer } = fakeTrainer({ ms: 2, training: { eval_interval: 25 } });
    const loop = startLoop(trainer);
    await loop.end();
    expect(loop.steps).toEqual(upTo(160));
    expect(Math.min(...loop.stepMs)).toBeGreaterThan(1.9);
    expect(Math.max(...loop.stepMs)).toBeLessThan(4.1);
  });

  it('never exceeds the in-flight limit, and comes close to it', async () => {
    const { trainer, inFlightAfter } = fakeTrainer({ ms: 1 });
    await startLoop(trainer).end();
    expect(Math.max(...inFlightAfter)).toBeLessThanOrEqual(IN_FLIGHT);
    expect(Math.max(...inFlightAfter)).toBeGreaterThan(IN_FLIGHT / 2);
  });

  it.each([
    [130, 2],
    [260, 1],
  ])('has at most 250 ms in flight: with steps of %i ms, %i', async (ms, limit) => {
    const { trainer, inFlightAfter } = fakeTrainer({ ms, training: { max_iters: 5 } });
    await startLoop(trainer).end();
    expect(Math.max(...inFlightAfter)).toBe(limit);
  });

  it('has reported and saved every step when it pauses, and resumes from there', async () => {
    const { trainer, device } = fakeTrainer({ ms: 1 });
    const pauses: { steps: number[]; at: number }[] = [];
    const loop = startLoop(trainer, (phase, control) => {
      if (phase !== 'paused') return;
      pauses.push({ steps: [...loop.steps], at: trainer.step });
      expect(device.inFlight).toBe(0);
      setTimeout(() => control.set('run'), 5);
    });
    setTimeout(() => loop.control.set('pause'), 60);
    expect(await loop.end()).toBe('max_iters');
    const [pause] = pauses;
    expect(pauses).toHaveLength(1);
    expect(pause?.at).toBeGreaterThan(1);
    expect(pause?.at).toBeLessThan(160);
    expect(pause?.steps).toEqual(upTo(pause?.at ?? 0));
    expect(loop.steps).toEqual(upTo(160));
    expect(loop.savedAt).toEqual([pause?.at, 160]);
  });

  it('has reported every step when it stops, evaluates or runs a job', async () => {
    const training = { eval_interval: 50 };
    const { trainer, device, evaluatedAt } = fakeTrainer({ ms: 1, training });
    const loop = startLoop(trainer);
    const complete: boolean[] = [];
    const job = async (): Promise<void> => {
      complete.push(device.inFlight === 0 && loop.steps.length === trainer.step);
    };
    setTimeout(() => loop.control.between(job), 30);
    setTimeout(() => loop.control.set('stop'), 110);
    expect(await loop.end()).toBe('stopped');
    expect(complete).toEqual([true]);
    expect(evaluatedAt.slice(0, 2)).toEqual([0, 50]);
    expect(trainer.step).toBeGreaterThan(50);
    expect(loop.steps).toEqual(upTo(trainer.step));
    expect(loop.savedAt).toEqual([trainer.step]);
  });

  it('flushes metrics at most ten times a second between its begin and its end', async () => {
    const { trainer } = fakeTrainer({ ms: 2, training: { max_iters: 400 } });
    const loop = startLoop(trainer);
    await loop.end();
    expect(loop.steps).toEqual(upTo(400));
    // The first three and the last two flushes belong to the first step and to evaluations.
    const { flushedAt } = loop;
    const gaps = flushedAt.slice(3, -2).map((at, i) => at - (flushedAt[i + 2] ?? NaN));
    expect(gaps.length).toBeGreaterThan(3);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(95);
  });

  it('saves again at a pause what an autosave at the same step could not save', async () => {
    const { trainer } = fakeTrainer({ ms: 1, training: { max_iters: 50 } });
    trainer.config.runtime.autosave_interval = 10;
    const loop = startLoop(trainer, (phase, control) => {
      if (phase === 'saving' && trainer.step === 10) {
        loop.storage.isFull = loop.savedAt.length === 0;
        control.set('pause');
      }
      if (phase === 'paused') setTimeout(() => control.set('run'), 5);
    });
    expect(await loop.end()).toBe('max_iters');
    expect(loop.savedAt).toEqual([10, 10, 20, 30, 40, 50]);
  });

  it('takes a loss that falls to 0 at once as lost weights, and one that is learned as fine', async () => {
    const lost = fakeTrainer({ ms: 1, lossAt: (step) => (step < 40 ? 3 : 0) });
    const error = await startLoop(lost.trainer).end();
    expect(String(error)).toMatch(/^Error: The loss fell to 0 at once/u);
    const learned = fakeTrainer({ ms: 1, lossAt: (step) => Math.max(0, 3 - step / 40) });
    expect(await startLoop(learned.trainer).end()).toBe('max_iters');
  });

  it('takes an evaluation of 0 as lost weights only where text is learned', async () => {
    const evaluation = { metrics: { 'val/loss': 0 }, score: 0 };
    const training = { eval_interval: 20 };
    const text = fakeTrainer({ ms: 1, training, evaluation });
    expect(await startLoop(text.trainer).end()).toBeInstanceOf(LossExploded);
    const objective = { ...pretrain, data: 'pairs' } as const;
    const pairs = fakeTrainer({ ms: 1, training, evaluation, objective });
    expect(await startLoop(pairs.trainer).end()).toBe('max_iters');
  });

  it('continues without a score if nothing is held out', async () => {
    const evaluation = { metrics: {}, score: null };
    const { trainer } = fakeTrainer({ ms: 1, training: { eval_interval: 20 }, evaluation });
    const loop = startLoop(trainer);
    expect(await loop.end()).toBe('max_iters');
    expect(loop.state.best_val_loss).toBeNull();
  });

  it('notices an exploded loss while later steps are in flight', async () => {
    const lossAt = (step: number): number => (step === 40 ? NaN : 3);
    const { trainer } = fakeTrainer({ ms: 1, lossAt });
    expect(await startLoop(trainer).end()).toBeInstanceOf(LossExploded);
    expect(trainer.step).toBeLessThanOrEqual(40 + 2 * IN_FLIGHT);
  });
});

describe('steps in flight', () => {
  /** Steps in flight over a ring whose reads take `ms`. */
  function stepsInFlight({ immediate, ms }: { immediate: boolean; ms: number }) {
    let unread: number[] = [];
    const ring = {
      immediate,
      full: false,
      get pending() {
        return unread.length;
      },
      read() {
        const steps = unread;
        unread = [];
        if (steps.length === 0) return null;
        const results = steps.map((step) => ({ step, values: Float32Array.of(1) }));
        const entries = new Promise<typeof results>((resolve) => {
          if (ms === 0) resolve(results);
          else setTimeout(() => resolve(results), ms);
        });
        return { steps: steps.length, arrived: null, entries };
      },
    };
    return { inFlight: new StepsInFlight(ring), push: (step: number) => void unread.push(step) };
  }

  it('are reported at once if they are done when they are submitted', async () => {
    const { inFlight, push } = stepsInFlight({ immediate: true, ms: 0 });
    for (const step of [1, 2, 3]) {
      inFlight.begin();
      vi.advanceTimersByTime(70);
      push(step);
      expect(await inFlight.follow(false)).toMatchObject([{ step, ms: 70 }]);
    }
  });

  it('share their time if their reads are taken together', async () => {
    const { inFlight, push } = stepsInFlight({ immediate: false, ms: 90 });
    inFlight.begin();
    push(1);
    expect(await inFlight.follow(true)).toEqual([]);
    push(2);
    push(3);
    const all = inFlight.all();
    await vi.runAllTimersAsync();
    expect(await all).toMatchObject([
      { step: 1, ms: 30 },
      { step: 2, ms: 30 },
      { step: 3, ms: 30 },
    ]);
    expect(await inFlight.all()).toEqual([]);
    expect(inFlight.step_ms).toBe(30);
  });
});
