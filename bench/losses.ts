/**
 * Trains twice from one seed on the same batches: by our kernels, replayed, and by the plain
 * reference (the same functions in tfjs ops, one by one). The losses must agree up to rounding. A
 * second replayed run must give the same losses bit for bit.
 */
import { setProgramMode } from '../src/backend/index.ts';
import { pretrain } from '../src/objectives/index.ts';
import { prepareMatmuls } from '../src/ops/index.ts';
import { Trainer } from '../src/train/index.ts';
import { CONFIGS, type ConfigName, randomTokens, runConfig } from './configs.ts';
import { startDevice } from './device.ts';
import { largestRelativeDifference } from './statistics.ts';
import { stepTaker } from './take_step.ts';

export interface LossesOptions {
  config: ConfigName;
  steps: number;
  /** Time limit of the plain run, whose steps can take seconds; fewer are compared if it is over. */
  seconds: number;
  seed: number;
  /** Whether to do the replayed run a second time. */
  again: boolean;
}

export interface LossesRow {
  config: string;
  backend: string;
  mode: 'losses';
  /** Steps that both runs took. */
  steps: number;
  /** The largest |ours / plain - 1| of the losses; null before the first plain step. */
  largestDifference: number | null;
  /** The step of that difference, counted from 1. */
  atStep: number | null;
  tolerance: number;
  withinTolerance: boolean | null;
  /** Whether a second replayed run gave the same losses bit for bit; null without a second run. */
  deterministic: boolean | null;
  /** The first step at which the second run differs, counted from 1. */
  differsAtStep: number | null;
  /** Milliseconds per step, after the first. */
  ms: number | null;
  /** The same for plain steps, which are awaited one by one. */
  plainMs: number | null;
  losses: number[];
  plainLosses: number[];
  /** Why the plain run ended early. */
  why: string | null;
  adapter: string;
}

const TOLERANCE = 1e-4;
/** Milliseconds between two reports of the row so far. */
const KEEP_MS = 1000;
const UNFINISHED = 'The plain run did not finish.';

/** Throws if the device reports an error. */
export async function measureLosses(
  options: LossesOptions,
  log: (line: string) => void,
  keep: (rows: LossesRow[]) => void,
): Promise<LossesRow[]> {
  const { device, check } = await startDevice({ backend: 'webgpu' });
  await prepareMatmuls();
  const ours = await train(options, 'replay');
  const again = options.again ? await train(options, 'replay') : null;
  const row = (plain: Run, why: string | null): LossesRow => ({
    config: options.config,
    backend: device.backend,
    mode: 'losses',
    ...compare(ours, plain, again),
    why,
    adapter: device.adapter,
  });
  check();
  keep([row({ losses: [], ms: null }, UNFINISHED)]);
  const end = performance.now() + 1000 * options.seconds;
  let kept = performance.now();
  const plain = await train(options, 'plain', (run) => {
    if (performance.now() - kept > KEEP_MS) {
      kept = performance.now();
      keep([row(run, UNFINISHED)]);
    }
    return performance.now() < end;
  });
  check();
  const outOfTime = plain.losses.length < options.steps;
  const done = row(plain, outOfTime ? `The time limit of ${options.seconds} s was reached.` : null);
  log(summaryOf(done));
  return [done];
}

interface Run {
  losses: number[];
  ms: number | null;
}

type Comparison = Omit<LossesRow, 'config' | 'backend' | 'mode' | 'why' | 'adapter'>;

function compare(ours: Run, plain: Run, again: Run | null): Comparison {
  const largest = largestRelativeDifference(ours.losses, plain.losses);
  const differs = again ? ours.losses.findIndex((loss, i) => loss !== again.losses[i]) : -1;
  return {
    steps: plain.losses.length,
    largestDifference: largest?.difference ?? null,
    atStep: largest ? largest.index + 1 : null,
    tolerance: TOLERANCE,
    withinTolerance: largest ? largest.difference <= TOLERANCE : null,
    deterministic: again ? differs < 0 : null,
    differsAtStep: differs < 0 ? null : differs + 1,
    ms: ours.ms,
    plainMs: plain.ms,
    losses: ours.losses,
    plainLosses: plain.losses,
  };
}

function summaryOf({ config, steps, largestDifference, atStep, deterministic }: LossesRow): string {
  const difference = largestDifference?.toExponential(1);
  const compared = `losses of ${steps} steps within ${difference} of the plain reference (step ${atStep})`;
  if (deterministic === null) return `${config}: ${compared}`;
  return `${config}: ${compared}, ${deterministic ? 'the same' : 'not the same'} in a second run`;
}

/** `goOn` is called after each step. */
async function train(
  { config, seed, steps }: LossesOptions,
  way: 'replay' | 'plain',
  goOn: (run: Run) => boolean = () => true,
): Promise<Run> {
  setProgramMode(way === 'replay' ? 'replay' : 'op_by_op');
  const trainer = await Trainer.create({
    config: runConfig(config, seed),
    objective: pretrain,
    split: randomTokens(config, seed),
    vocab_size: CONFIGS[config].vocab_size,
  });
  const take = stepTaker(trainer, way === 'plain' ? 'references' : 'kernels');
  const run: Run = { losses: [], ms: null };
  const drain = async (): Promise<void> => {
    for (const { loss } of await trainer.drain()) run.losses.push(loss);
  };
  try {
    let first = 0;
    const updateTime = (): void => {
      if (trainer.step > 1) run.ms = (performance.now() - first) / (trainer.step - 1);
    };
    do {
      take();
      // Plain steps are awaited one by one, so that the next step reuses the buffers in tfjs's pool,
      // which take gigabytes.
      if (way === 'plain' || trainer.step === 1 || trainer.mustDrain) await drain();
      if (trainer.step === 1) first = performance.now();
      updateTime();
    } while (trainer.step < steps && goOn(run));
    await drain();
    updateTime();
    return run;
  } finally {
    trainer.dispose();
    setProgramMode('replay');
  }
}
