/** The parallel lab without the panel: `runLab` of the headless hook. */
import type { BytesSent, Mesh, RankStep } from '../../common/index.ts';
import type { LabResult, MetricRecord } from '../../protocol/index.ts';
import type { Client } from '../client.ts';
import { openedFiles } from '../form.ts';
import { bubbleOf } from './bubble.ts';
import { checkedMesh } from './checked_mesh.ts';
import { LabClient } from './lab_client.ts';
import { plannedBytes } from './planned_bytes.ts';

/**
 * Trains the form's recipe on the ranks of a mesh, and calls `record` after each step. Resolves when
 * all steps are taken. Rejects with a sentence if there is no such mesh, or a rank fails.
 */
export async function runLab(
  client: Client,
  mesh: Partial<Mesh>,
  record: (record: MetricRecord) => void,
): Promise<LabResult> {
  const fullMesh = checkedMesh(mesh);
  const form = client.stores.form.getState();
  const { config } = form;
  const lab = new LabClient({
    spawn: client.models.spawn,
    stepped: (reports, metrics) => {
      const planned = plannedBytes(lab.store.getState(), reports, metrics);
      record(recordOf(reports, planned));
    },
  });
  await lab.start({
    mesh: fullMesh,
    config,
    files: openedFiles(form, config),
    backend: config.runtime.backend,
    name: '',
    from: null,
    stage: null,
    child: null,
  });
  const { failure, ranks, backend, n_params, step } = lab.store.getState();
  lab.stop();
  if (failure) throw new Error(failure);
  const memory = ranks.flatMap((rank) => (rank.memory ? [rank.memory] : []));
  return { mesh: fullMesh, backend, n_params, step, memory };
}

/**
 * A step of all ranks as one record: loss and gradient norm, milliseconds of the slowest rank, the bubble
 * of a pipeline, and bytes sent by all ranks, in total and by kind of collective, beside `planned`.
 */
export function recordOf(reports: readonly RankStep[], planned: BytesSent | null): MetricRecord {
  const record: MetricRecord = { step: reports[0]?.step ?? 0 };
  record['train/loss'] = reports[0]?.loss ?? NaN;
  record.grad_norm = reports[0]?.grad_norm ?? NaN;
  record.ms = Math.max(...reports.map(({ ms }) => ms));
  const bubble = bubbleOf(reports);
  if (bubble !== null) record.bubble = bubble;
  for (const { bytes } of reports) addBytes(record, 'bytes', bytes);
  if (planned) addBytes(record, 'planned_bytes', planned);
  return record;
}

/** Adds bytes to the sum of this name, and by kind to `name/kind`. */
function addBytes(record: MetricRecord, name: string, bytes: BytesSent): void {
  for (const [kind, sent] of Object.entries(bytes)) {
    record[name] = (record[name] ?? 0) + sent;
    if (sent > 0) record[`${name}/${kind}`] = (record[`${name}/${kind}`] ?? 0) + sent;
  }
}
