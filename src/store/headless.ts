/**
 * The hook by which a program drives the page (`?headless=1`): protocol/headless.ts says what it
 * promises.
 */
import type {
  HeadlessHook,
  HeadlessStatus,
  MetricColumns,
  MetricRecord,
} from '../protocol/index.ts';
import type { Client } from './client.ts';
import { setText } from './form.ts';
import { writtenSamples } from './samples.ts';

export function installHeadless(client: Client): void {
  const records: MetricRecord[] = [];
  const listeners = new Set<(record: MetricRecord) => void>();
  client.onEvent((event) => {
    if (event.type !== 'metrics') return;
    for (const record of recordsOf(event.columns)) {
      records.push(record);
      for (const listener of listeners) listener(record);
    }
  });
  const hook: HeadlessHook = {
    onRecord(listener) {
      for (const record of records) listener(record);
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    status: () => statusOf(client),
    exportCheckpoint: () => client.export(),
    openText: async (name, bytes) => {
      setText(client.stores.form, { name, bytes });
    },
    loseDevice: () => client.loseDevice(),
  };
  window.terrarium = hook;
}

/** One record a row, without what was not measured there. */
function recordsOf(columns: MetricColumns): MetricRecord[] {
  return Array.from(columns.step, (step, row) => {
    const record: MetricRecord = { step };
    for (const [name, values] of Object.entries(columns)) {
      const value = values[row] ?? NaN;
      if (Number.isFinite(value)) record[name] = value;
    }
    return record;
  });
}

function statusOf({ stores }: Client): HeadlessStatus {
  const run = stores.run.getState();
  const sample = writtenSamples(stores.samples.getState().samples).at(-1);
  const config = run.config ?? stores.form.getState().config;
  return {
    phase: run.phase,
    detail: run.detail,
    step: run.step,
    max_iters: config.training.max_iters,
    run: run.run,
    device: run.device,
    n_params: run.run ? run.n_params : null,
    planned_bytes: run.run ? run.planned_bytes : null,
    uniform_loss: run.data?.uniform_loss ?? null,
    bigram_loss: run.data?.bigram_loss ?? null,
    start: run.start,
    sample: sample ? sample.prompt + sample.tokens.map((piece) => piece.text).join('') : null,
    notices: run.notices.map(({ message }) => message),
    finished: run.finished,
    error: run.error,
  };
}
