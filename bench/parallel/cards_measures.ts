/** How a rank spends a step, from the spans that it records. Pure functions. */
import type { RankStep, Span } from '../../src/common/index.ts';

/** Milliseconds of a step of one rank; the first five add up to `ms`. */
export interface StepParts {
  ms: number;
  /** The passes until the last gradients have been read from the device, and the update. */
  compute: number;
  /** After the passes, while messages are in transit. */
  exposed: number;
  /** After the passes, while the other rank has not sent its message yet. */
  wait: number;
  /** After the passes, while the sums are written to the device. */
  copy: number;
  other: number;
  /** All time in which messages are in transit, hidden by computation or not. */
  communication: number;
}

/** The measured step of one rank. */
export interface MeasuredStep extends StepParts {
  step: number;
  loss: number;
  /** Sent by this rank. */
  bytes: number;
}

type Part = 'exposed' | 'wait' | 'copy' | 'update';

/** Spans of the reduction get their names in `parallel/data.ts`. */
const isCopy = ({ what }: Span): boolean => what === 'write gradients';
const isReduction = ({ what }: Span): boolean => what.startsWith('reduce_scatter bucket of ');

const isPart: Record<Part, (span: Span) => boolean> = {
  exposed: (span) => span.kind === 'communicate' && !isCopy(span),
  wait: (span) => span.kind === 'wait',
  copy: isCopy,
  update: (span) => span.kind === 'update',
};
const PARTS: readonly Part[] = ['update', 'exposed', 'copy', 'wait'];

export function measureStep(report: RankStep): MeasuredStep {
  const { step, loss, ms, spans } = report;
  const bytes = Object.values(report.bytes).reduce((sum, sent) => sum + sent, 0);
  return { step, loss, bytes, ...partsOf(spans, ms) };
}

function partsOf(spans: readonly Span[], ms: number): StepParts {
  const end = Math.max(...spans.map((span) => span.end));
  const passesEnd = lastReductionStart(spans) ?? end;
  const { exposed, wait, copy, update } = timesAfter(spans, passesEnd);
  const compute = ms - (end - passesEnd) + update;
  const communication = unionOf(spans.filter(isPart.exposed));
  return {
    ms,
    exposed,
    wait,
    copy,
    compute,
    communication,
    other: ms - compute - exposed - wait - copy,
  };
}

/** When the reduce-scatter of the last bucket started; null if nothing is reduced. */
function lastReductionStart(spans: readonly Span[]): number | null {
  const starts = new Map<string, number>();
  for (const { what, start } of spans.filter(isReduction))
    starts.set(what, Math.min(start, starts.get(what) ?? Infinity));
  return starts.size > 0 ? Math.max(...starts.values()) : null;
}

/** Milliseconds of each part after a time. Where parts overlap, only the first of PARTS counts. */
function timesAfter(spans: readonly Span[], time: number): Record<Part, number> {
  const edges = [...new Set(spans.flatMap(({ start, end }) => [start, end]))]
    .filter((edge) => edge > time)
    .sort((a, b) => a - b);
  const times: Record<Part, number> = { exposed: 0, wait: 0, copy: 0, update: 0 };
  let start = time;
  for (const end of edges) {
    const present = spans.filter((span) => span.start < end && span.end > start);
    const part = PARTS.find((candidate) => present.some(isPart[candidate]));
    if (part) times[part] += end - start;
    start = end;
  }
  return times;
}

/** Milliseconds that at least one of the spans covers. */
function unionOf(spans: readonly Span[]): number {
  let covered = 0;
  let until = -Infinity;
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    covered += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return covered;
}
