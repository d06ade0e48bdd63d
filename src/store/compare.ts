/**
 * The same configuration on each backend and in each way to run it there, one worker after another,
 * and the table as Markdown.
 */
import { createStore } from 'zustand/vanilla';
import type { BackendName, RunConfig } from '../config/index.ts';
import type { Command, CompareMode, ComparisonRow, PagePort } from '../protocol/index.ts';
import { bytes, count, measure } from './format.ts';

/** One row to be measured. */
export interface Contender {
  backend: BackendName;
  mode: CompareMode;
  label: string;
  about: string;
}

const PLAIN = 'plain TensorFlow.js';
/** All that can be compared, the fastest first: that one's losses are the reference. */
export const CONTENDERS: readonly Contender[] = [
  {
    backend: 'webgpu',
    mode: 'replayed',
    label: 'fused, replayed',
    about:
      'How this page trains: our own kernels, a step recorded once and sent to the GPU in one piece.',
  },
  {
    backend: 'webgpu',
    mode: 'op_by_op',
    label: 'fused, op by op',
    about: 'The same kernels, each operation sent by itself.',
  },
  {
    backend: 'webgpu',
    mode: 'plain',
    label: PLAIN,
    about: 'The operations that TensorFlow.js brings, each sent by itself.',
  },
  {
    backend: 'webgl',
    mode: 'plain',
    label: PLAIN,
    about: 'The operations of TensorFlow.js on its WebGL backend.',
  },
  {
    backend: 'wasm',
    mode: 'plain',
    label: PLAIN,
    about: 'The operations of TensorFlow.js on the processor, by WebAssembly.',
  },
  {
    backend: 'cpu',
    mode: 'plain',
    label: PLAIN,
    about: 'The operations of TensorFlow.js on the processor, in JavaScript.',
  },
];
export const contenderOf = (row: {
  backend: BackendName;
  mode: CompareMode;
}): Contender | undefined =>
  CONTENDERS.find((one) => one.backend === row.backend && one.mode === row.mode);

export interface CompareState {
  running: Contender | null;
  detail: string;
  rows: ComparisonRow[];
}
export const createCompare = () =>
  createStore<CompareState>(() => ({ running: null, detail: '', rows: [] }));
export type CompareStore = ReturnType<typeof createCompare>;

type CompareCommand = Extract<Command, { type: 'compare' }>;

/**
 * Runs one after the other. What fails gives a row with `error`; `signal` ends the worker at once.
 */
export async function runComparison(
  store: CompareStore,
  spawn: () => PagePort,
  contenders: readonly Contender[],
  command: Omit<CompareCommand, 'mode'>,
  signal: AbortSignal,
): Promise<void> {
  store.setState({ rows: [], detail: '', running: null });
  for (const contender of contenders) {
    if (signal.aborted) break;
    store.setState({ running: contender, detail: 'Starting the backend' });
    const { backend, mode } = contender;
    const config: RunConfig = {
      ...command.config,
      runtime: { ...command.config.runtime, backend },
    };
    const row = await compareOne(
      store,
      spawn(),
      { ...command, config, mode },
      { backend, mode },
      signal,
    );
    if (row) store.setState((state) => ({ rows: [...state.rows, row] }));
  }
  store.setState({ running: null, detail: '' });
}

function compareOne(
  store: CompareStore,
  port: PagePort,
  command: CompareCommand,
  of: Pick<ComparisonRow, 'backend' | 'mode'>,
  signal: AbortSignal,
): Promise<ComparisonRow | null> {
  const failed = (error: string): ComparisonRow => ({
    ...of,
    steps: 0,
    ms_per_step: NaN,
    tokens_per_second: NaN,
    dispatches_per_step: null,
    submits_per_step: null,
    gpu_bytes: null,
    losses: [],
    error,
  });
  return new Promise<ComparisonRow | null>((resolve) => {
    signal.addEventListener('abort', () => resolve(null));
    port.onDeath((reason) => resolve(failed(`The worker stopped (${reason}).`)));
    port.onEvent((event) => {
      if (event.type === 'comparison') resolve(event.row);
      if (event.type === 'error') resolve(failed(`${event.error.message} ${event.error.hint}`));
      if (event.type === 'phase') store.setState({ detail: event.detail });
    });
    port.send(command);
  }).finally(() => port.close());
}

/**
 * Largest relative difference of a row's losses from those of the first row that ran; null for that
 * row itself.
 */
export function lossDrift(rows: readonly ComparisonRow[], row: ComparisonRow): number | null {
  const reference = rows.find((one) => !one.error && one.losses.length > 0);
  if (!reference || reference === row || row.error) return null;
  const shared = Math.min(reference.losses.length, row.losses.length);
  let drift = 0;
  for (let i = 0; i < shared; i += 1) {
    const [a = NaN, b = NaN] = [reference.losses[i], row.losses[i]];
    drift = Math.max(drift, Math.abs(a - b) / Math.abs(a));
  }
  return shared > 0 ? drift : null;
}

export const COMPARE_HEADINGS = [
  'Backend',
  'Mode',
  'Steps',
  'Tokens/s',
  'ms/step',
  'Dispatches/step',
  'Submits/step',
  'GPU memory',
  'Last loss',
  'Loss drift',
] as const;

/** One row's cells in the order of the headings. */
export function compareCells(rows: readonly ComparisonRow[], row: ComparisonRow): string[] {
  const mode = contenderOf(row)?.label ?? row.mode;
  if (row.error)
    return [row.backend, `${mode}: ${row.error}`, ...COMPARE_HEADINGS.slice(2).map(() => '')];
  const drift = lossDrift(rows, row);
  return [
    row.backend,
    mode,
    count(row.steps),
    count(row.tokens_per_second),
    measure(row.ms_per_step),
    row.dispatches_per_step === null ? '–' : count(row.dispatches_per_step),
    row.submits_per_step === null ? '–' : count(row.submits_per_step),
    row.gpu_bytes === null ? '–' : bytes(row.gpu_bytes),
    row.losses.at(-1)?.toFixed(4) ?? '–',
    drift === null ? 'reference' : drift === 0 ? '0' : drift.toExponential(1),
  ];
}

export function compareMarkdown(rows: readonly ComparisonRow[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [
    line(COMPARE_HEADINGS),
    line(COMPARE_HEADINGS.map((_, index) => (index < 2 ? '---' : '---:'))),
    ...rows.map((row) => line(compareCells(rows, row))),
  ].join('\n');
}
