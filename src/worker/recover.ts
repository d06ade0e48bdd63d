/** Continues a run whose device (a GPU, or a thread of the engine) was lost, on one opened again. */
import { ActiveRun } from './active_run.ts';
import { startingPoint } from './begin.ts';
import type { RestoredRun } from '../protocol/index.ts';
import type { Device } from './device.ts';
import { LOSS } from './plain_errors.ts';
import { withUsableMoments } from './moments.ts';
import type { RunParts, RunStart, RunSurroundings, StartingPoint } from './run_parts.ts';
import { settleOnDevice } from './settle_on_device.ts';

export type RecoveryContext = RunSurroundings & { readonly device: Device };

export interface LostRun {
  parts: RunParts;
  /** Why the device was lost. */
  reason: string;
  /** Where the run started, to go back to if storage has no checkpoint. */
  origin: StartingPoint | null;
  paused: boolean;
  /** What the page has not got yet of a run that was opened again. */
  restored?: RestoredRun | null | undefined;
  /** The learning rate multiplier as it is now; it may change during the recovery. */
  multiplier: () => number | undefined;
}

/**
 * Creates the run again and notifies the page: it continues from the last checkpoint, or from where
 * it started. Throws NoBackend, DeviceLost if the device is lost again, and what creating a run
 * throws.
 */
export async function recoverRun(
  context: RecoveryContext,
  { parts, reason, origin, paused, restored, multiplier }: LostRun,
): Promise<{ run: ActiveRun; parts: RunParts }> {
  const cause = reason || 'no reason given';
  const what = LOSS[context.device.info?.backend === 'wasm' ? 'processor' : 'gpu'];
  const detail = `${what} (${cause}); training continues from the last checkpoint.`;
  context.emit({ type: 'phase', phase: 'recovering', detail, progress: null });
  const loaded = await parts.storage.load();
  const learned = { objective: parts.objective, stage: parts.text.stage?.config ?? null };
  const saved = loaded && withUsableMoments(loaded.state, learned, context.emit);
  const from = saved ? startingPoint(saved) : origin;
  const reopened = await onDeviceAgain(context, parts);
  await parts.storage.rewindMetrics(from?.state.step ?? 0);
  const start = { from, stored: loaded !== null, paused, restored: restored ?? null };
  const recovered = await createRun(context, reopened, start);
  recovered.trainer.lr_multiplier = multiplier() ?? recovered.trainer.lr_multiplier;
  recovered.announce(await parts.storage.readMetrics());
  const place = loaded ? ', its last checkpoint' : ': nothing had been saved yet';
  const step = `step ${recovered.trainer.step}${place}`;
  const back = what === LOSS.gpu ? `${what} and came back` : what;
  const message = `${back} (${reopened.adapter}); the run continues from ${step}.`;
  context.emit({ type: 'notice', message });
  return { run: recovered, parts: reopened };
}

/**
 * Creates the run, and gives up if the device is lost meanwhile: a compilation on a lost device may
 * never end. Throws DeviceLost, and what ActiveRun.create throws.
 */
export async function createRun(
  context: RecoveryContext,
  parts: RunParts,
  start: RunStart,
): Promise<ActiveRun> {
  let wanted = true;
  const creating = ActiveRun.create(parts, start, context).then((run) => {
    if (!wanted) run.abandon();
    return run;
  });
  try {
    return await context.device.orLost(creating);
  } catch (error) {
    wanted = false;
    throw error;
  }
}

/** The parts of the run on the device that is opened again, which may be another one. */
async function onDeviceAgain(context: RecoveryContext, parts: RunParts): Promise<RunParts> {
  const { config, model } = parts.settled;
  const device = await context.device.open(config.runtime.backend);
  const facts = { text: parts.text, vocab_size: model.vocab_size, device };
  const settled = await settleOnDevice(config, facts, context.services);
  return { ...parts, adapter: device.adapter, settled };
}
