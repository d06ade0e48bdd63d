/** Trains one configuration on each backend and in each mode, and prints the results as Markdown. */
import { createStore } from 'zustand/vanilla';
import type { BackendName } from '../config/index.ts';
import type { CompareMode, ComparisonRow } from '../protocol/index.ts';
import { bytes, count, measure } from './format.ts';

/** A row to measure. */
export interface Contender {
  backend: BackendName;
  mode: CompareMode;
  label: string;
  about: string;
}

/** The backends in words. */
export const BACKEND_NAMES: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'WebAssembly',
  cpu: 'JavaScript (CPU)',
};

const PLAIN = 'plain TensorFlow.js';
/** Everything that can be compared, fastest first: its losses are the reference. */
export const CONTENDERS: readonly Contender[] = [
  {
    backend: 'webgpu',
    mode: 'replayed',
    label: 'own kernels, recorded',
    about:
      'How this page trains: a step of its own kernels is recorded once, then repeated as a whole.',
  },
  {
    backend: 'webgpu',
    mode: 'op_by_op',
    label: 'own kernels, one by one',
    about: 'The same kernels, each sent to the GPU by itself.',
  },
  {
    backend: 'webgpu',
    mode: 'plain',
    label: PLAIN,
    about: 'The operations of TensorFlow.js, one at a time.',
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

/**
 * Largest relative difference of a row's losses from those of the first row without an error; null
 * for that row itself.
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

/** The cells of a row in the order of COMPARE_HEADINGS. */
export function compareCells(rows: readonly ComparisonRow[], row: ComparisonRow): string[] {
  const backend = BACKEND_NAMES[row.backend];
  const mode = contenderOf(row)?.label ?? row.mode;
  if (row.error)
    return [backend, `${mode}: ${row.error}`, ...COMPARE_HEADINGS.slice(2).map(() => '')];
  return [
    backend,
    mode,
    count(row.steps),
    count(row.tokens_per_second),
    measure(row.ms_per_step),
    row.dispatches_per_step === null ? '–' : count(row.dispatches_per_step),
    row.submits_per_step === null ? '–' : count(row.submits_per_step),
    row.gpu_bytes === null ? '–' : bytes(row.gpu_bytes),
    row.losses.at(-1)?.toFixed(4) ?? '–',
    driftText(lossDrift(rows, row)),
  ];
}

function driftText(drift: number | null): string {
  if (drift === null) return 'reference';
  return drift === 0 ? '0' : drift.toExponential(1);
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
