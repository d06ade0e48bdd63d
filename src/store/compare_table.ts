/**
 * What the Compare view offers and shows: its contenders, the cells of its table and its bars. Only
 * that view imports it, so that the page does not download it at its first visit.
 */
import type { BackendName } from '../config/index.ts';
import type { CompareMode, ComparisonRow } from '../protocol/index.ts';
import type { Contender } from './compare.ts';
import { bytes, count, measure, spokenDuration } from './format.ts';

/** The backends in words. */
export const BACKEND_NAMES: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'Processor',
  cpu: 'JavaScript',
};

/** The modes in words. */
export const COMPARE_MODES: Record<CompareMode, { label: string; about: string }> = {
  replayed: {
    label: 'own kernels, recorded',
    about:
      'How this page trains: a step of its own kernels is recorded once, then repeated as a whole.',
  },
  op_by_op: {
    label: 'own kernels, one by one',
    about: 'The same kernels, each started by itself.',
  },
  plain: {
    label: 'plain TensorFlow.js',
    about: 'The model and gradients of this page, in the operations of TensorFlow.js.',
  },
  stock: {
    label: 'stock TensorFlow.js',
    about: 'The published library as everybody uses it: its operations, gradients and optimizer.',
  },
};

/** From the fastest to the slowest: the losses of the first row are the reference. */
const MODES_OF: Record<BackendName, readonly CompareMode[]> = {
  webgpu: ['replayed', 'op_by_op', 'plain', 'stock'],
  webgl: ['plain', 'stock'],
  wasm: ['replayed', 'op_by_op', 'plain', 'stock'],
  cpu: ['plain', 'stock'],
};
export const COMPARED_BACKENDS: readonly BackendName[] = ['webgpu', 'webgl', 'wasm', 'cpu'];

/** Everything that can be compared, in the order of the rows. */
export const CONTENDERS: readonly Contender[] = COMPARED_BACKENDS.flatMap((backend) =>
  MODES_OF[backend].map((mode) => ({ backend, mode })),
);

/** What is compared unless the user chooses otherwise: stock TensorFlow.js is a download of its own. */
export const FIRST_CONTENDERS: readonly Contender[] = CONTENDERS.filter(
  ({ mode }) => mode !== 'stock',
);

/** "WebGPU, own kernels, recorded". */
export const contenderName = ({ backend, mode }: Contender): string =>
  `${BACKEND_NAMES[backend]}, ${COMPARE_MODES[mode].label}`;

/** A step of a run with dropout of its own has losses of its own. */
const isComparable = (row: ComparisonRow): boolean =>
  !row.error && !row.own_dropout && row.losses.length > 0;

/**
 * Largest relative difference of a row's losses from those of the first row that has some; null for
 * that row itself, and where the losses cannot be compared.
 */
export function lossDrift(rows: readonly ComparisonRow[], row: ComparisonRow): number | null {
  const reference = rows.find(isComparable);
  if (!reference || reference === row || !isComparable(row)) return null;
  const shared = Math.min(reference.losses.length, row.losses.length);
  let drift = 0;
  for (let i = 0; i < shared; i += 1) {
    const [a = NaN, b = NaN] = [reference.losses[i], row.losses[i]];
    drift = Math.max(drift, Math.abs(a - b) / Math.abs(a));
  }
  return drift;
}

export const COMPARE_HEADINGS = [
  'Backend',
  'Mode',
  'Steps',
  'Tokens/s',
  'ms/step',
  'Kernels/step',
  'Submits/step',
  'Memory',
  'Last loss',
  'Loss drift',
] as const;

/** The cells of a row in the order of COMPARE_HEADINGS. */
export function compareCells(rows: readonly ComparisonRow[], row: ComparisonRow): string[] {
  const backend = BACKEND_NAMES[row.backend];
  const mode = COMPARE_MODES[row.mode].label;
  if (row.error)
    return [backend, `${mode}: ${row.error}`, ...COMPARE_HEADINGS.slice(2).map(() => '')];
  return [
    backend,
    mode,
    count(row.steps),
    count(row.tokens_per_second),
    row.ms_per_step < 1000 ? measure(row.ms_per_step) : count(row.ms_per_step),
    row.dispatches_per_step === null ? '–' : count(row.dispatches_per_step),
    row.submits_per_step === null ? '–' : count(row.submits_per_step),
    row.gpu_bytes === null ? '–' : bytes(row.gpu_bytes),
    row.losses.at(-1)?.toFixed(4) ?? '–',
    driftText(rows, row),
  ];
}

function driftText(rows: readonly ComparisonRow[], row: ComparisonRow): string {
  if (row.own_dropout) return 'other dropout';
  const drift = lossDrift(rows, row);
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

/** One bar of the chart: the time of a step. */
export interface CompareBar {
  backend: BackendName;
  mode: CompareMode;
  /** Length, as a share of the chart's width. */
  share: number;
  /** "2.50 ms", "8.16 s". */
  step: string;
  /** What a person would wait for a thousand steps: "about 3 minutes". */
  wait: string;
}

export interface CompareChart {
  bars: CompareBar[];
  /** Powers of ten on a logarithmic scale, equally far apart from 0 on; null on a linear scale. */
  decades: { labels: string[]; share: number } | null;
}

/** Times further apart than this are drawn on a logarithmic scale, so that the shortest are seen. */
const LINEAR_RANGE = 25;

/** The bars of all rows whose steps were timed, which excludes the first step. */
export function compareChart(rows: readonly ComparisonRow[]): CompareChart {
  const timed = rows.filter((row) => !row.error && row.steps > 1);
  const times = timed.map((row) => row.ms_per_step);
  const { shareOf, decades } = scaleOf(Math.min(...times), Math.max(...times));
  const bars = timed.map(({ backend, mode, ms_per_step }) => ({
    backend,
    mode,
    share: shareOf(ms_per_step),
    step: stepTime(ms_per_step),
    // A thousand steps take as many seconds as one step takes milliseconds.
    wait: spokenDuration(ms_per_step),
  }));
  return { bars, decades };
}

/** The longest bar has the whole width. */
function scaleOf(shortest: number, longest: number) {
  if (longest <= LINEAR_RANGE * shortest) {
    return { shareOf: (ms: number) => ms / longest, decades: null };
  }
  // The shortest bar spans at least the part of a decade from 1 to 2.
  const begin = Math.floor(Math.log10(shortest / 2));
  const span = Math.log10(longest) - begin;
  const labels = Array.from({ length: Math.floor(span) + 1 }, (_, index) =>
    stepTime(10 ** (begin + index)),
  );
  return {
    shareOf: (ms: number) => (Math.log10(ms) - begin) / span,
    decades: { labels, share: 1 / span },
  };
}

/** Three digits, in milliseconds or seconds; powers of ten without decimals. */
function stepTime(ms: number): string {
  const [value, unit] = ms < 1000 ? [ms, 'ms'] : [ms / 1000, 's'];
  const isPower = Number.isInteger(Math.log10(value));
  return `${isPower ? String(value) : measure(value)} ${unit}`;
}
