/** A run whose GPU device was lost continues from its last checkpoint on a device opened again. */
import { ActiveRun } from './active_run.ts';
import { resumePoint } from './begin.ts';
import type { Device } from './device.ts';
import type { RunParts, RunSurroundings } from './run_parts.ts';

/**
 * Replaces `run`, whose device was lost for `reason`, and tells the page. Throws NoBackend, and
 * what creating a run throws.
 */
export async function recoverRun(
  context: RunSurroundings & { readonly device: Device },
  run: ActiveRun,
  parts: RunParts,
  reason: string,
): Promise<ActiveRun> {
  const paused = run.control.state === 'pause';
  const cause = reason || 'no reason given';
  const detail = `The GPU device was lost (${cause}); training continues from the last checkpoint.`;
  context.emit({ type: 'phase', phase: 'recovering', detail, progress: null });
  run.abandon();
  const loaded = await parts.storage.load();
  const { adapter } = await context.device.open(parts.config.runtime.backend);
  const from = loaded ? resumePoint(loaded.state) : null;
  await parts.storage.rewindMetrics(from?.state.step ?? 0);
  const recovered = await ActiveRun.create({ ...parts, adapter }, { from, paused }, context);
  recovered.announce(await parts.storage.readMetrics());
  const origin = from ? ', its last checkpoint' : ': nothing had been saved yet';
  const step = `step ${recovered.trainer.step}${origin}`;
  const message = `The GPU device was lost and came back (${adapter}); the run continues from ${step}.`;
  context.emit({ type: 'notice', message });
  return recovered;
}
