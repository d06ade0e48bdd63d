/** The parallel lab without the panel: `runLab` of the headless hook. */
import { type Mesh, type RankStep } from '../../common/index.ts';
import type { LabResult, MetricRecord } from '../../protocol/index.ts';
import type { Client } from '../client.ts';
import { openedFiles } from '../form.ts';
import { bubbleOf } from './bubble.ts';
import { checkedMesh } from './checked_mesh.ts';
import { LabClient } from './lab_client.ts';

/**
 * Trains the form's recipe on the ranks of a mesh, and calls `record` after each step. Resolves when
 * all steps are taken. Rejects with a sentence if there is no such mesh, or a rank fails.
 */
export async function runLab(
  client: Client,
  mesh: Partial<Mesh>,
  record: (record: MetricRecord) => void,
): Promise<LabResult> {
  const whole = checkedMesh(mesh);
  const form = client.stores.form.getState();
  const { config } = form;
  const lab = new LabClient({
    spawn: client.models.spawn,
    stepped: (reports) => record(recordOf(reports)),
  });
  await lab.start({
    mesh: whole,
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
  return { mesh: whole, backend, n_params, step, memory };
}

/**
 * Loss, milliseconds of the slowest rank, the bubble of a pipeline, and bytes that all ranks have sent,
 * in all and by kind.
 */
export function recordOf(reports: readonly RankStep[]): MetricRecord {
  const record: MetricRecord = { step: reports[0]?.step ?? 0 };
  record['train/loss'] = reports[0]?.loss ?? NaN;
  record.grad_norm = reports[0]?.grad_norm ?? NaN;
  record.ms = Math.max(...reports.map(({ ms }) => ms));
  const bubble = bubbleOf(reports);
  if (bubble !== null) record.bubble = bubble;
  record.bytes = 0;
  for (const { bytes } of reports) {
    for (const [kind, sent] of Object.entries(bytes)) {
      record.bytes += sent;
      if (sent > 0) record[`bytes/${kind}`] = (record[`bytes/${kind}`] ?? 0) + sent;
    }
  }
  return record;
}
