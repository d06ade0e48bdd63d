/**
 * The loop over a device that takes its time: what is under way while results are read, and what is
 * complete when it must be.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RingRead } from '../backend/index.ts';
import { defaultConfig, resolveModel } from '../config/index.ts';
import { Control } from './control.ts';
import { IN_FLIGHT, StepsInFlight, type TimedEntry } from './in_flight.ts';
import { type LoopPhase, LossExploded, type LoopTrainer, trainLoop } from './loop.ts';
import { MetricBuffer } from './metrics.ts';
import type { StepResult } from './trainer.ts';
import { pretrain } from '../objectives/index.ts';

/** All in virtual time: JavaScript takes none. */
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/**
 * Does the steps that are sent to it, one every `ms`. `idle`: how many had been sent, whenever one
 * came and found nothing to do.
 */
function device(ms: number) {
  const queue: (() => void)[] = [];
  const idle: number[] = [];
  let busy = false;
  let done = 0;
  let sent = 0;
  const next = (): void => {
    const job = queue.shift();
    busy = job !== undefined;
    if (job)
      setTimeout(() => {
        job();
        next();
      }, ms);
  };
  return {
    idle,
    get done() {
      return done;
    },
    get sent() {
      return sent;
    },
    step(): void {
      if (!busy) idle.push(sent);
      sent++;
      queue.push(() => {
        done++;
      });
      if (!busy) next();
    },
    /** Resolves when all that was sent before is done. */
    ended: (): Promise<void> =>
      new Promise((resolve) => {
        if (busy) {
          const last = queue.length - 1;
          const job = queue[last];
          if (job)
            queue[last] = () => {
              job();
              resolve();
            };
          else setTimeout(resolve, ms);
        } else resolve();
      }),
  };
}

function fake(
  ms: number,
  changes: Partial<ReturnType<typeof defaultConfig>['training']> = {},
  lossAt: (step: number) => number = (step) => 3 - step / 1000,
) {
  const config = defaultConfig();
  const gpu = device(ms);
  const evaluated: number[] = [];
  const behind: number[] = [];
  Object.assign(config.training, { max_iters: 160, eval_interval: 1000, ...changes });
  config.sampling.sample_interval = 0;
  config.runtime.autosave_interval = 0;
  let waiting: number[] = [];
  const ring = {
    immediate: false,
    get pending() {
      return waiting.length;
    },
    get full() {
      return waiting.length >= IN_FLIGHT;
    },
    read() {
      const steps = waiting;
      const covered = gpu.sent;
      waiting = [];
      if (steps.length === 0) return null;
      const read: RingRead = {
        steps: steps.length,
        arrived: null,
        entries: gpu.ended().then(() => {
          behind.push(gpu.sent - covered);
          return steps.map((step) => ({ step, values: Float32Array.of(lossAt(step)) }));
        }),
      };
      void read.entries.then(() => {
        read.arrived = performance.now();
      });
      return read;
    },
  };
  const flight = new StepsInFlight(ring);
  const results = (entries: readonly TimedEntry[]): StepResult[] =>
    entries.map(({ step, values, ms }) => ({
      ms,
      step,
      loss: values[0] ?? NaN,
      metrics: { 'train/loss': values[0] ?? NaN, 'train/accuracy': 0 },
      grad_norm: 1,
      skipped: false,
    }));
  const trainer = {
    config,
    model: resolveModel(config.model, 28),
    objective: pretrain,
    step: 0,
    tokens: 0,
    skipped_steps: 0,
    tokensPerStep: 64,
    learningRateAt: () => 0.01,
    takeStep: (): void => {
      flight.begin();
      gpu.step();
      waiting.push(++trainer.step);
      trainer.tokens += 64;
    },
    follow: async (soon: boolean) => results(await flight.follow(soon)),
    drain: async () => results(await flight.all()),
    async evaluate() {
      evaluated.push(gpu.done);
      expect(gpu.done).toBe(gpu.sent);
      return { metrics: { 'val/loss': 2.5, 'val/accuracy': 0, 'val/bpb': 1 }, score: 2.5 };
    },
  } satisfies LoopTrainer;
  return { trainer, gpu, evaluated, behind, flight };
}

function watch(
  trainer: LoopTrainer,
  on: (phase: LoopPhase, control: Control) => void = () => undefined,
) {
  const control = new Control();
  const buffer = new MetricBuffer();
  const steps: number[] = [];
  const times: number[] = [];
  const flushes: number[] = [];
  const saved: number[] = [];
  const run = trainLoop({
    trainer,
    control,
    buffer,
    seconds: 0,
    best_val_loss: null,
    hooks: {
      phase: (phase) => on(phase, control),
      sample: async () => ({}),
      save: async () => {
        saved.push(trainer.step);
      },
      measure: () => ({}),
      slept: () => undefined,
      metrics: (b) => {
        flushes.push(performance.now());
        const c = b.flush();
        c.step.forEach((step, i) => {
          if (!Number.isNaN(c['train/loss']?.[i] ?? NaN)) {
            steps.push(step);
            times.push(c.step_ms?.[i] ?? NaN);
          }
        });
      },
    },
  });
  return {
    control,
    steps,
    times,
    flushes,
    saved,
    /** Why the loop ended. */
    end: async (): Promise<unknown> => {
      const ended = run.then(
        (reason) => reason,
        (error: unknown) => error,
      );
      await vi.runAllTimersAsync();
      return ended;
    },
  };
}
const upTo = (n: number): number[] => Array.from({ length: n }, (_v, i) => i + 1);

describe('the loop on a device that takes its time', () => {
  it('keeps it busy while results are read: it waits after the first step and before the last evaluation, and nowhere else', async () => {
    const { trainer, gpu, behind, evaluated } = fake(1);
    const { steps, end } = watch(trainer);
    expect(await end()).toBe('max_iters');
    // Submitted before it had an end: all but the first two steps (the first loss is shown before
    // the second step).
    expect(gpu.idle).toEqual([0, 1]);
    expect(behind.length).toBeGreaterThan(6);
    // The first and the last read are of everything; while others were under way, half of what may
    // be was submitted behind them.
    expect([behind[0], behind.at(-1)]).toEqual([0, 0]);
    expect(Math.min(...behind.slice(1, -2))).toBeGreaterThanOrEqual(IN_FLIGHT / 2 - 1);
    expect(steps).toEqual(upTo(160));
    expect(evaluated).toEqual([0, 160]);
  });

  it('gives each step the time that the device took, before and after evaluations too', async () => {
    const { trainer } = fake(2, { eval_interval: 25 });
    const { steps, times, end } = watch(trainer);
    await end();
    expect(steps).toEqual(upTo(160));
    expect(Math.min(...times)).toBeGreaterThan(1.9);
    expect(Math.max(...times)).toBeLessThan(4.1);
  });

  it('takes results at once where a step is done when it was submitted', async () => {
    let waiting: number[] = [];
    const flight = new StepsInFlight({
      immediate: true,
      get pending() {
        return waiting.length;
      },
      get full() {
        return false;
      },
      read() {
        const taken = waiting;
        waiting = [];
        return {
          steps: taken.length,
          arrived: null,
          entries: Promise.resolve(taken.map((step) => ({ step, values: Float32Array.of(1) }))),
        };
      },
    });
    for (const step of [1, 2, 3]) {
      flight.begin();
      vi.advanceTimersByTime(70);
      waiting.push(step);
      expect(await flight.follow(false)).toMatchObject([{ step, ms: 70 }]);
    }
  });

  it('shares the time among reads that are taken together', async () => {
    let waiting: number[] = [];
    const flight = new StepsInFlight({
      immediate: false,
      get pending() {
        return waiting.length;
      },
      get full() {
        return false;
      },
      read() {
        const taken = waiting;
        waiting = [];
        return taken.length === 0
          ? null
          : {
              steps: taken.length,
              arrived: null,
              entries: new Promise((resolve) => {
                setTimeout(() => {
                  resolve(taken.map((step) => ({ step, values: Float32Array.of(1) })));
                }, 90);
              }),
            };
      },
    });
    flight.begin();
    waiting.push(1);
    expect(await flight.follow(true)).toEqual([]);
    waiting.push(2, 3);
    const all = flight.all();
    await vi.runAllTimersAsync();
    expect(await all).toMatchObject([
      { step: 1, ms: 30 },
      { step: 2, ms: 30 },
      { step: 3, ms: 30 },
    ]);
    expect(await flight.all()).toEqual([]);
    expect(flight.step_ms).toBe(30);
  });

  it('has no more under way than may be', async () => {
    const { trainer, gpu } = fake(1);
    const most: number[] = [];
    const take = trainer.takeStep;
    trainer.takeStep = () => {
      take();
      most.push(gpu.sent - gpu.done);
    };
    await watch(trainer).end();
    expect(Math.max(...most)).toBeLessThanOrEqual(IN_FLIGHT);
    expect(Math.max(...most)).toBeGreaterThan(IN_FLIGHT / 2);
  });

  it('has told every step when it is paused, in order, and goes on from there', async () => {
    const { trainer, gpu } = fake(1);
    const told: { steps: number[]; at: number }[] = [];
    const w = watch(trainer, (phase, control) => {
      if (phase !== 'paused') return;
      told.push({ steps: [...w.steps], at: trainer.step });
      expect(gpu.done).toBe(gpu.sent);
      setTimeout(() => control.set('run'), 5);
    });
    setTimeout(() => w.control.set('pause'), 60);
    expect(await w.end()).toBe('max_iters');
    expect(told.map((t) => t.at > 1 && t.at < 160)).toEqual([true]);
    for (const { steps, at } of told) expect(steps).toEqual(upTo(at));
    expect(w.steps).toEqual(upTo(160));
    // Saved where it was paused, with nothing under way.
    expect(w.saved).toEqual([told[0]?.at, 160]);
  });

  it('has told every step when it is stopped, when it evaluates and when a job runs', async () => {
    const { trainer, gpu, evaluated } = fake(1, { eval_interval: 50 });
    const w = watch(trainer);
    const seen: boolean[] = [];
    setTimeout(
      () =>
        w.control.between(async () => {
          seen.push(gpu.done === gpu.sent && w.steps.length === trainer.step);
        }),
      30,
    );
    setTimeout(() => w.control.set('stop'), 110);
    expect(await w.end()).toBe('stopped');
    expect(seen).toEqual([true]);
    expect(evaluated.slice(0, 2)).toEqual([0, 50]);
    expect(trainer.step).toBeGreaterThan(50);
    expect(w.steps).toEqual(upTo(trainer.step));
    expect(w.saved).toEqual([trainer.step]);
  });

  it('tells at most ten times a second but where it must', async () => {
    const { trainer } = fake(2, { max_iters: 400 });
    const { flushes, end, steps } = watch(trainer);
    await end();
    expect(steps).toEqual(upTo(400));
    const gaps = flushes.slice(3, -2).map((at, i) => at - (flushes[i + 2] ?? NaN));
    expect(gaps.length).toBeGreaterThan(3);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(95);
  });

  it('notices a loss that explodes while later steps are under way', async () => {
    const { trainer } = fake(1, {}, (step) => (step === 40 ? NaN : 3));
    const { end } = watch(trainer);
    expect(await end()).toBeInstanceOf(LossExploded);
    expect(trainer.step).toBeLessThanOrEqual(40 + 2 * IN_FLIGHT);
  });

  it('has one step under way where each takes long, and two where two fit', async () => {
    for (const [ms, count] of [
      [130, 2],
      [260, 1],
    ] as const) {
      const { trainer, gpu } = fake(ms, { max_iters: 5 });
      const most: number[] = [];
      const take = trainer.takeStep;
      trainer.takeStep = () => {
        take();
        most.push(gpu.sent - gpu.done);
      };
      await watch(trainer).end();
      expect(Math.max(...most), `${ms} ms`).toBe(count);
    }
  });
});
