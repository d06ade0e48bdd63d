/** The bubble of a pipeline, from the passes that its ranks have measured. */
import type { RankStep, Span } from '../../common/index.ts';

const isPass = ({ kind }: Span): boolean => kind === 'forward' || kind === 'backward';

/**
 * Share of the ranks' time in which they run neither a forward nor a backward pass, from the start of the
 * first pass on any rank to the end of the last; null if a step has no such passes.
 */
export function bubbleOf(reports: readonly RankStep[]): number | null {
  const passes = reports.flatMap(({ spans }) => spans.filter(isPass));
  if (passes.length === 0) return null;
  const start = Math.min(...passes.map((span) => span.start));
  const end = Math.max(...passes.map((span) => span.end));
  const busy = passes.reduce((sum, span) => sum + (span.end - span.start), 0);
  return end > start ? 1 - busy / ((end - start) * reports.length) : null;
}
