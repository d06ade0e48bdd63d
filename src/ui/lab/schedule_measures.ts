/** Bubble and overlap of a measured step, and what the formulas predict for it. Pure functions. */
import { type Mesh, placeOf, type RankStep, type Span } from '../../common/index.ts';
import { chunksOf, layOut, overlapFraction } from '../../plan/parallel/index.ts';

const PASSES: ReadonlySet<Span['kind']> = new Set(['compute', 'forward', 'backward']);
const isPass = ({ kind }: Span): boolean => PASSES.has(kind);
const length = ({ start, end }: Span): number => end - start;
const sumOf = (spans: readonly Span[]): number =>
  spans.reduce((sum, span) => sum + length(span), 0);

/**
 * The bubble that the schedule would have with the measured times of its passes if messages took no time.
 * It differs from the formula because passes take unequal times; the measured bubble is larger by the
 * time that ranks waited for messages. Null if a pass was not measured.
 */
export function laidOutBubble(
  reports: readonly RankStep[],
  mesh: Mesh,
  micro_batches: number,
): number | null {
  const { schedule, pp: stages } = mesh;
  if (stages === 1) return null;
  const shape = { schedule, stages, micro_batches, virtual_chunks: chunksOf(mesh) };
  const stageReports = reports.filter(({ rank }) => {
    const place = placeOf(mesh, rank);
    return place.dp === 0 && place.tp === 0;
  });
  let isComplete = true;
  const { bubble } = layOut(shape, ({ rank, kind, micro_batch, chunk }) => {
    const spans = stageReports[rank]?.spans ?? [];
    const pass = spans.find(
      (span) => span.kind === kind && span.micro_batch === micro_batch && span.chunk === chunk,
    );
    isComplete &&= pass !== undefined;
    return pass ? length(pass) : 0;
  });
  return isComplete ? bubble : null;
}

/**
 * Whether buckets of gradients are reduced during the last backward pass of a step. With
 * `sync_each_batch` ranks wait for the reduction instead, and ZeRO-2 and 3 have no buckets.
 */
export const reducesDuringPass = ({ dp, zero_stage, sync_each_batch = false }: Mesh): boolean =>
  dp > 1 && zero_stage < 2 && !sync_each_batch;

export interface Overlap {
  /** Milliseconds from the end of the last pass of any rank until all sums have arrived. */
  exposed_ms: number;
  /** Milliseconds of a rank's reduction, the mean of the ranks. */
  communication_ms: number;
  /** Share of the reduction that the passes hide. */
  measured: number;
  /** See `overlapFraction`. */
  formula: number;
}

/**
 * How much of the reduction of buckets the passes have hidden; null if a step has no buckets, or if their
 * reduction was too short for the clock. Copies between the device and the host are not included.
 */
export function bucketOverlap(reports: readonly RankStep[]): Overlap | null {
  const passes = reports.flatMap(({ spans }) => spans.filter(isPass));
  const buckets = reports.flatMap(({ spans }) => spans.filter(isOfBucket));
  const [first] = reports;
  if (!first || passes.length === 0 || buckets.length === 0) return null;
  const passesEnd = Math.max(...passes.map(({ end }) => end));
  const reductionEnd = Math.max(...buckets.map(({ end }) => end));
  const exposed_ms = Math.max(0, reductionEnd - passesEnd);
  const communication = buckets.filter(({ kind }) => kind === 'communicate');
  const communication_ms = sumOf(communication) / reports.length;
  if (communication_ms === 0) return null;
  const bytes = bucketBytes(first);
  const backward = BACKWARD_SHARE * longestPass(first);
  return {
    exposed_ms,
    communication_ms,
    measured: Math.max(0, 1 - exposed_ms / communication_ms),
    // Rounding may leave a little less than nothing.
    formula: Math.max(0, overlapFraction({ bytes, communication: communication_ms, backward })),
  };
}

/**
 * Milliseconds from when the last rank starts to reduce its first bucket until all sums have arrived: the
 * time of the whole reduction if it only starts after the passes.
 */
export function reductionMs(reports: readonly RankStep[]): number {
  const buckets = reports.map(({ spans }) => spans.filter(isOfBucket));
  const starts = buckets.map((spans) => Math.min(...spans.map(({ start }) => start)));
  return Math.max(...buckets.flat().map(({ end }) => end)) - Math.max(...starts);
}

/** Bytes of a rank's buckets of gradients, in their order. */
export function bucketBytes({ spans }: RankStep): number[] {
  const buckets = spans.filter(
    (span) =>
      isOfBucket(span) && span.kind === 'communicate' && span.what.startsWith('reduce_scatter '),
  );
  return buckets.sort((a, b) => a.end - b.end).map(({ bytes = 0 }) => bytes);
}

/** Share of the backward pass in a span that covers the forward and the backward pass. */
const BACKWARD_SHARE = 2 / 3;

/** Milliseconds of the last pass of a step, during which gradients are reduced. */
const longestPass = ({ spans }: RankStep): number =>
  Math.max(0, ...spans.filter(isPass).map(length));

/** Spans of buckets get their names in `parallel/data.ts`. */
const isOfBucket = ({ what }: Span): boolean => what.includes(' bucket of ');
