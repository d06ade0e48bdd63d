/** Continues a run whose GPU device was lost, on a device that is opened again. */
import { ActiveRun } from './active_run.ts';
import { startingPoint } from './begin.ts';
import type { Device } from './device.ts';
import type { RunParts, RunSurroundings } from './run_parts.ts';
import { settleOnDevice } from './settle_on_device.ts';

export type RecoveryContext = RunSurroundings & { readonly device: Device };

export interface LostRun {
  run: ActiveRun;
  parts: RunParts;
  /** Why the device was lost. */
  reason: string;
}

/**
 * Replaces the run and notifies the page: it continues from the last checkpoint, or from where it
 * started. The learning rate multiplier stays as `run` has it, even if it was set during the
 * recovery. Throws NoBackend, and what creating a run throws.
 */
export async function recoverRun(
  context: RecoveryContext,
  { run, parts, reason }: LostRun,
): Promise<{ run: ActiveRun; parts: RunParts }> {
  const paused = run.control.state === 'pause';
  const cause = reason || 'no reason given';
  const detail = `The GPU device was lost (${cause}); training continues from the last checkpoint.`;
  context.emit({ type: 'phase', phase: 'recovering', detail, progress: null });
  run.abandon();
  const loaded = await parts.storage.load();
  const from = loaded ? startingPoint(loaded.state) : run.origin;
  const reopened = await onDeviceAgain(context, parts);
  await parts.storage.rewindMetrics(from?.state.step ?? 0);
  const start = { from, stored: loaded !== null, paused };
  const recovered = await ActiveRun.create(reopened, start, context);
  recovered.trainer.lr_multiplier = run.trainer.lr_multiplier;
  recovered.announce(await parts.storage.readMetrics());
  const origin = loaded ? ', its last checkpoint' : ': nothing had been saved yet';
  const step = `step ${recovered.trainer.step}${origin}`;
  const message = `The GPU device was lost and came back (${reopened.adapter}); the run continues from ${step}.`;
  context.emit({ type: 'notice', message });
  return { run: recovered, parts: reopened };
}

/** The parts of the run on the device that is opened again, which may be another one. */
async function onDeviceAgain(context: RecoveryContext, parts: RunParts): Promise<RunParts> {
  const { config, model } = parts.settled;
  const device = await context.device.open(config.runtime.backend);
  const facts = { text: parts.text, vocab_size: model.vocab_size, device };
  const settled = await settleOnDevice(config, facts, context.services);
  return { ...parts, adapter: device.adapter, settled };
}
