/** What a pipeline's measured steps say of its bubble, and where it differs from the formula. */
import { type Mesh, type RankStep, type Span, worldSize } from '../../src/common/index.ts';
import { bubbleFraction } from '../../src/plan/parallel/index.ts';
import { bubbleOf } from '../../src/store/lab/bubble.ts';
import { laidOutBubble } from '../../src/ui/lab/schedule_measures.ts';
import type { MeasuredStep, Pace, PassTimes } from './rank_threads.ts';

/** Passes of a step that differ by less count as equal (`spreadOf`). */
const EVEN = 0.05;

export type Row = Record<string, unknown>;
/** The reports of all ranks, by step. */
type Steps = readonly MeasuredStep[][];

/** The value below which this share of the values lies; NaN of none. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Median over the steps of the slowest rank's milliseconds. */
export const stepMs = (steps: readonly RankStep[][]): number =>
  median(steps.map((step) => Math.max(...step.map(({ ms }) => ms))));

/**
 * The formula assumes passes that take the same time on all ranks, and messages that take none.
 *
 * - `bubble`: as measured, the median over the steps;
 * - `laid_out`: without messages;
 * - `stages`: without messages, each pass as long as the median of its kind on its rank;
 * - `on_core`: without messages, and without the time in which another thread of this machine had a
 *   pass's core;
 * - `evenest`: `bubble` over the quarter of the steps whose passes differed least, whatever their
 *   bubble, which come nearest to what the formula assumes;
 * - `even`: `bubble` over the `even_steps` whose passes differed by at most `EVEN`.
 */
export function bubbleRow(steps: Steps, mesh: Mesh, micro_batches: number): Row {
  const formula = bubbleFraction(mesh, micro_batches);
  const laidOut = (step: readonly RankStep[]): number =>
    laidOutBubble(step, mesh, micro_batches) ?? NaN;
  const measured = steps.map((step) => bubbleOf(step) ?? NaN);
  const laid_out = steps.map(laidOut);
  const medians = medianPasses(steps);
  const bySpread = [...steps].sort((a, b) => spreadOf(a) - spreadOf(b));
  const evenSteps = bySpread.slice(0, Math.ceil(steps.length / 4));
  const evenest = median(evenSteps.map((step) => bubbleOf(step) ?? NaN));
  const equal = steps.filter((step) => spreadOf(step) <= EVEN);
  const even = median(equal.map((step) => bubbleOf(step) ?? NaN));
  const [first = []] = steps;
  return {
    formula,
    bubble: median(measured),
    over_formula: median(measured) / formula - 1,
    least: Math.min(...measured),
    most: Math.max(...measured),
    laid_out: median(laid_out),
    on_core: median(steps.map((step) => laidOut(step.map(asRan)))),
    stages: laidOut(first.map((report) => withPasses(report, medians))),
    evenest,
    evenest_over_formula: evenest / formula - 1,
    evenest_spread: median(evenSteps.map(spreadOf)),
    even,
    even_over_formula: even / formula - 1,
    even_steps: equal.length,
    spread: median(steps.map(spreadOf)),
    steps: steps.length,
    ms: stepMs(steps),
    delayed: delayedShares(steps),
    passes: Array.from({ length: worldSize(mesh) }, (_, rank) => ({
      forward: passMs(steps, rank, 'forward'),
      backward: passMs(steps, rank, 'backward'),
    })),
    all: measured.map((bubble, i) => [bubble, laid_out[i]]),
  };
}

/** Few passes are longer. */
const PACE = 0.99;

/** A length for all passes of a kind, and whatever chunk they are of, milliseconds. */
export function paceOf(steps: Steps): Pace {
  const lengths = (kind: keyof Pace): number[] =>
    steps.flat().flatMap(({ spans }) => spans.filter((span) => span.kind === kind).map(length));
  return {
    forward: quantile(lengths('forward'), PACE),
    backward: quantile(lengths('backward'), PACE),
  };
}

/** `paced`: the median bubble of steps whose passes were made equally long, but for the `late` share. */
export function pacedRow(steps: Steps, formula: number, pace: Pace): Row {
  const passes = steps.flat().flatMap(({ spans }) => spans.filter(isPass));
  const late = passes.filter((span) => length(span) > (1 + LATE) * paceFor(span, pace));
  const measured = steps.map((step) => bubbleOf(step) ?? NaN);
  const paced = median(measured);
  return {
    pace,
    paced,
    paced_over_formula: paced / formula - 1,
    paced_least: Math.min(...measured),
    paced_most: Math.max(...measured),
    paced_late: late.length / passes.length,
    paced_steps: steps.length,
  };
}

/** A pass that ends this share later than it should counts as late. */
const LATE = 0.02;

const paceFor = ({ kind }: Span, pace: Pace): number =>
  kind === 'forward' ? pace.forward : pace.backward;

/** Every pass of every step: rank, kind, micro-batch, chunk, milliseconds by the clock and on a core. */
export function passesOf(steps: Steps): unknown[][][] {
  const rounded = (ms: number): number => Math.round(100 * ms) / 100;
  return steps.map((step) =>
    step.flatMap(({ rank, spans, passes }) =>
      spans.filter(isPass).map((span, i) => {
        const { kind, micro_batch, chunk } = span;
        return [rank, kind, micro_batch, chunk, rounded(length(span)), rounded(ranOf(passes[i]))];
      }),
    ),
  );
}

const isPass = ({ kind }: Span): boolean => kind === 'forward' || kind === 'backward';
const length = ({ start, end }: Span): number => end - start;
const ranOf = (pass: PassTimes | undefined): number => pass?.ran ?? NaN;

const likeOf = (rank: number, { kind, chunk }: Span): string => `${rank} ${kind} ${chunk}`;

function medianPasses(steps: Steps): Map<string, number> {
  const lengths = new Map<string, number[]>();
  for (const { rank, spans } of steps.flat()) {
    for (const span of spans.filter(isPass)) {
      const like = likeOf(rank, span);
      lengths.set(like, [...(lengths.get(like) ?? []), length(span)]);
    }
  }
  return new Map(Array.from(lengths, ([like, ms]) => [like, median(ms)]));
}

/**
 * How unequal the passes of a step are: the root of the mean square of their differences from the
 * median of their kind in this step, as a share of it.
 */
function spreadOf(step: readonly RankStep[]): number {
  const squares = (['forward', 'backward'] as const).flatMap((kind) => {
    const ms = step.flatMap(({ spans }) => spans.filter((span) => span.kind === kind).map(length));
    const middle = median(ms);
    return ms.map((one) => (one / middle - 1) ** 2);
  });
  return Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / squares.length);
}

const withPasses = (report: RankStep, medians: ReadonlyMap<string, number>): RankStep => ({
  ...report,
  spans: report.spans
    .filter(isPass)
    .map((span) => ({ ...span, end: span.start + (medians.get(likeOf(report.rank, span)) ?? 0) })),
});

/** With passes as long as they ran on their core; unknown ones make the step unknown. */
function asRan(report: MeasuredStep): RankStep {
  const passes = report.spans.filter(isPass);
  const spans = passes.map((span, i) => ({ ...span, end: span.start + ranOf(report.passes[i]) }));
  return { ...report, spans };
}

/** Share of each rank's passes in which another thread had its core. */
function delayedShares(steps: Steps): number[] {
  const ranks = Array.from({ length: steps[0]?.length ?? 0 }, (_, rank) => rank);
  return ranks.map((rank) => {
    const passes = steps.flatMap((step) => step[rank]?.passes ?? []);
    const delayed = passes.reduce((sum, pass) => sum + pass.delayed, 0);
    return delayed / passes.reduce((sum, pass) => sum + pass.ran + pass.delayed, 0);
  });
}

/** Quartiles of the milliseconds of all passes of a kind of a rank. */
function passMs(steps: Steps, rank: number, kind: 'forward' | 'backward'): number[] {
  const ms = steps.flatMap((step) =>
    (step[rank]?.spans ?? []).filter((span) => span.kind === kind).map(length),
  );
  return [0.25, 0.5, 0.75].map((share) => quantile(ms, share));
}
