/** A run as one zip: a model folder that transformers opens, with what belongs to the run beside it. */
import {
  extraFiles,
  writeCheckpoint,
  zipFolder,
  type CheckpointState,
  type Files,
} from '../checkpoint/index.ts';
import type { ExportChoice, MetricColumns } from '../common/index.ts';
import type { RunParts } from './run_parts.ts';

/** The checkpoints of the run. `last` is null if only the best one is exported. */
export interface ExportedStates {
  last: CheckpointState | null;
  best: CheckpointState | null;
}

/**
 * The last checkpoint with the best one in its folder `best/`, or the best one alone, as a zip; or the
 * first as a part of a bundle for GPUs. Metrics and samples reach to the step of the exported checkpoint.
 */
export async function exportRun(
  { name, storage, text }: Pick<RunParts, 'name' | 'storage' | 'text'>,
  { last, best }: ExportedStates,
  what: ExportChoice,
): Promise<{ name: string; bytes: Uint8Array }> {
  const state = last ?? best;
  if (!state) throw new RangeError('There is no checkpoint to export.');
  const metrics = until(await storage.readMetrics(), state.step);
  const files = writeCheckpoint({ ...state, metrics });
  const extras = extraFiles({
    samples: await storage.samples.text(state.step),
    view: await storage.loadView(),
    recipe: await storage.loadRecipe(),
    text: await storage.loadText(),
    best: bestFiles(state, best),
    records: await storage.record.records.files(storage.id),
  });
  // Only stages have adapters.
  const adapter = state.stage
    ? (await import('../checkpoint/adapter_export.ts')).adapterFiles(state)
    : new Map<string, Uint8Array>();
  const folder = new Map([...files, ...adapter, ...extras]);
  if (what !== 'bundle') {
    return { name: `${fileName(name)}${last ? '' : '-best'}.zip`, bytes: zipFolder(folder) };
  }
  const { bundleFiles } = await import('../checkpoint/bundle/bundle.ts');
  const { tokens, stage = null } = text;
  const bundle = bundleFiles({ state, checkpoint: folder, tokens, stage });
  return { name: `${fileName(name)}-bundle.zip`, bytes: zipFolder(bundle) };
}

const fileName = (name: string): string =>
  name.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 60) || 'terrarium';

function bestFiles(exported: CheckpointState, best: CheckpointState | null): Files | null {
  if (!best || best.step === exported.step) return null;
  return writeCheckpoint({ ...best, metrics: undefined });
}

/** The rows up to a step. Steps increase. */
function until(columns: MetricColumns, step: number): MetricColumns {
  const count = columns.step.findLastIndex((at) => at <= step) + 1;
  const kept: MetricColumns = { step: columns.step.slice(0, count) };
  for (const [name, values] of Object.entries(columns)) kept[name] = values.slice(0, count);
  return kept;
}
