/**
 * How a program drives the page (scripts/headless.mjs, benchmarks). With `?headless=1` in its
 * address the page puts a HeadlessHook on `window.terrarium` before it starts anything; without it
 * there is none.
 *
 * `autostart=1` makes the page start the run of its address by itself, as a click on Train does;
 * where the corpus is 'own' it waits for `openText` first. Headless runs put no question to
 * anybody: a saved run is not offered for resuming.
 */
import type { FinishReason } from '../common/index.ts';
import type { DeviceInfo, PlainError, RunPhase, StartMark } from './types.ts';

/**
 * One row of the metrics table: what was measured at that step by name (common/metrics.ts); what was
 * not is left out.
 */
export type MetricRecord = { step: number } & Record<string, number>;

export interface HeadlessStatus {
  phase: RunPhase;
  detail: string;
  step: number;
  max_iters: number;
  run: string | null;
  device: DeviceInfo | null;
  n_params: number | null;
  planned_bytes: number | null;
  /** Baselines of the text, nats a token. */
  uniform_loss: number | null;
  bigram_loss: number | null;
  /** Milliseconds from Train to each moment of the start; `first_loss` is when the page has it. */
  start: Partial<Record<StartMark | 'first_loss', number>>;
  /** Newest sample as plain text, prompt included. */
  sample: string | null;
  /** Why the run ended, once it has. */
  finished: FinishReason | null;
  /**
   * The failure that stopped it, as the page shows it; also one that came before a run (a bad
   * address, no backend).
   */
  error: PlainError | null;
}

export interface HeadlessHook {
  /**
   * Calls `listener` with every record of this run, those before the call first, in order. Gives
   * back an unsubscribe.
   */
  onRecord(listener: (record: MetricRecord) => void): () => void;
  status(): HeadlessStatus;
  /** The zip that the export button gives. Rejects with a plain sentence as its message. */
  exportCheckpoint(): Promise<{ name: string; bytes: Uint8Array }>;
  /**
   * As if the person had opened this file: the corpus becomes 'own'. Resolves once the page has
   * taken it.
   */
  openText(name: string, bytes: Uint8Array): Promise<void>;
  /** For tests of bad luck only: loses the GPU device as a driver would. */
  loseDevice(): void;
}

declare global {
  interface Window {
    terrarium?: HeadlessHook;
  }
}
