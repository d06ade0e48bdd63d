/**
 * The same training twice, from one seed on the same batches: by our kernels, replayed, and by the
 * plain reference (the same functions in tfjs's own ops, one by one). Their losses must agree up to
 * rounding; those of a second replayed run bit for bit.
 */
import { setProgramMode } from '../src/backend/index.ts';
import { prepareMatmuls, withReferences } from '../src/ops/index.ts';
import { Trainer } from '../src/train/index.ts';
import { CONFIGS, type ConfigName, randomTokens, runConfig } from './configs.ts';
import { startDevice } from './device.ts';
import { largestRelativeDifference } from './statistics.ts';
import { pretrain } from '../src/objectives/index.ts';

export interface LossesOptions {
  config: ConfigName;
  steps: number;
  /**
   * For the plain steps, which can take seconds each: fewer of them are compared where the time is
   * over.
   */
  seconds: number;
  seed: number;
  /** A second replayed run. */
  again: boolean;
}

export interface LossesRow {
  config: string;
  backend: string;
  mode: 'losses';
  /** Steps that both ways have taken. */
  steps: number;
  /**
   * The largest |ours / plain - 1| of the losses, and at which step (from 1); null before the first
   * plain step.
   */
  largestDifference: number | null;
  atStep: number | null;
  tolerance: number;
  withinTolerance: boolean | null;
  /**
   * Whether a second replayed run gave the same losses bit for bit, and else at which step not;
   * null where there was none.
   */
  deterministic: boolean | null;
  differsAtStep: number | null;
  /** Milliseconds a step, after the first; the plain steps are waited for one by one. */
  ms: number | null;
  plainMs: number | null;
  losses: number[];
  plainLosses: number[];
  /** Why the plain run ended early. */
  why: string | null;
  adapter: string;
}

const TOLERANCE = 1e-4;
/** What is known so far is told to the page at least so often. */
const TELL_MS = 1000;

export async function measureLosses(
  o: LossesOptions,
  log: (line: string) => void,
  keep: (rows: LossesRow[]) => void,
): Promise<LossesRow[]> {
  const { device, check } = await startDevice('webgpu');
  await prepareMatmuls();
  const ours = await train(o, 'replay');
  const again = o.again ? await train(o, 'replay') : null;
  const row = (plain: Run, why: string | null): LossesRow => {
    const largest = largestRelativeDifference(ours.losses, plain.losses);
    const differs = again ? ours.losses.findIndex((loss, i) => loss !== again.losses[i]) : -1;
    return {
      config: o.config,
      backend: device.backend,
      mode: 'losses',
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
      why,
      adapter: device.adapter,
    };
  };
  check();
  keep([row({ losses: [], ms: null }, 'The plain run did not come to its end.')]);
  const end = performance.now() + 1000 * o.seconds;
  let told = performance.now();
  const plain = await train(o, 'plain', (run) => {
    if (performance.now() - told > TELL_MS) {
      told = performance.now();
      keep([row(run, 'The plain run did not come to its end.')]);
    }
    return performance.now() < end;
  });
  check();
  const done = row(
    plain,
    plain.losses.length < o.steps ? `Its time of ${o.seconds} s was over.` : null,
  );
  log(
    `${o.config}: losses of ${done.steps} steps within ${done.largestDifference?.toExponential(1)} of the plain reference (step ${done.atStep})${again ? `, ${done.deterministic ? 'the same' : 'not the same'} in a second run` : ''}`,
  );
  return [done];
}

interface Run {
  losses: number[];
  ms: number | null;
}

/** `go` is asked after each plain step. */
async function train(
  o: LossesOptions,
  way: 'replay' | 'plain',
  go: (run: Run) => boolean = () => true,
): Promise<Run> {
  setProgramMode(way === 'replay' ? 'replay' : 'op_by_op');
  const trainer = await Trainer.create({
    config: runConfig(o.config, o.seed),
    objective: pretrain,
    split: randomTokens(o.config, o.seed),
    vocab_size: CONFIGS[o.config].vocab_size,
  });
  const run: Run = { losses: [], ms: null };
  const takeStep = () => trainer.takeStep();
  const take = way === 'plain' ? () => withReferences(takeStep) : takeStep;
  const drain = async (): Promise<void> => {
    for (const r of await trainer.drain()) run.losses.push(r.loss);
  };
  try {
    let first = 0;
    do {
      take();
      // Plain steps one by one: what tfjs leaves in its pool is then taken up by the next step, and
      // gigabytes are there once.
      if (way === 'plain' || trainer.step === 1 || trainer.mustDrain) await drain();
      if (trainer.step === 1) first = performance.now();
      else run.ms = (performance.now() - first) / (trainer.step - 1);
    } while (trainer.step < o.steps && go(run));
    await drain();
    if (trainer.step > 1) run.ms = (performance.now() - first) / (trainer.step - 1);
    return run;
  } finally {
    trainer.dispose();
    setProgramMode('replay');
  }
}
