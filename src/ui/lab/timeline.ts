/** What the timeline draws: two lanes for each rank, from measured spans or a planned schedule. */
import { placeOf } from '../../common/mesh.ts';
import { chunksOf, layOut, type Mesh } from '../../plan/parallel/index.ts';
import type { RankStep, Span, SpanKind } from '../../store/lab/index.ts';

export interface TimelineBlock {
  kind: SpanKind;
  what: string;
  /** From the start of the timeline, in its unit. */
  start: number;
  end: number;
}

export interface RankLanes {
  rank: number;
  /** The upper lane has what the rank computes, the lower one what it sends and waits for. */
  lanes: readonly [TimelineBlock[], TimelineBlock[]];
}

export interface Timeline {
  ranks: RankLanes[];
  duration: number;
}

const isInLowerLane = ({ kind }: { kind: SpanKind }): boolean =>
  kind === 'communicate' || kind === 'wait';

function lanesOf(blocks: readonly TimelineBlock[]): RankLanes['lanes'] {
  return [blocks.filter((block) => !isInLowerLane(block)), blocks.filter(isInLowerLane)];
}

/** A step of all ranks, on one clock. */
export function measuredTimeline(reports: readonly RankStep[]): Timeline {
  const spans = reports.flatMap((report) => report.spans);
  const start = Math.min(...spans.map((span) => span.start));
  const end = Math.max(...spans.map((span) => span.end));
  const shifted = (span: Span): TimelineBlock => ({
    kind: span.kind,
    what: span.what,
    start: span.start - start,
    end: span.end - start,
  });
  return {
    ranks: reports.map(({ rank, spans: own }) => ({ rank, lanes: lanesOf(own.map(shifted)) })),
    duration: Math.max(0, end - start),
  };
}

/** The schedule of a pipeline if messages take no time. The unit is the time of a forward pass. */
export function plannedTimeline(mesh: Mesh, micro_batches: number): Timeline {
  const shape = {
    schedule: mesh.schedule,
    stages: mesh.pp,
    micro_batches,
    virtual_chunks: chunksOf(mesh),
  };
  const { ranks: stages, duration } = layOut(shape);
  const size = mesh.dp * mesh.tp * mesh.pp;
  const ranks = Array.from({ length: size }, (_, rank): RankLanes => {
    const actions = stages[placeOf(mesh, rank).pp] ?? [];
    const blocks = actions.map(({ kind, micro_batch, start, end }): TimelineBlock => {
      return { kind, what: `micro-batch ${micro_batch}`, start, end };
    });
    return { rank, lanes: lanesOf(blocks) };
  });
  return { ranks, duration };
}

/** The number of the micro-batch of a block; null if the block has none. */
export function microBatchOf({ what }: TimelineBlock): string | null {
  return /micro-batch (\d+)/u.exec(what)?.[1] ?? null;
}
