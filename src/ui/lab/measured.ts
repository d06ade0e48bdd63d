/** What the ranks report, beside what is planned. Pure functions. */
import {
  COLLECTIVES,
  type CollectiveKind,
  type RankMemory,
  type RankStep,
  type Span,
} from '../../store/lab/index.ts';
export { bubbleOf } from '../../store/lab/index.ts';
import type { RankMemory as PlannedMemory } from '../../plan/parallel/index.ts';

/** Kinds of memory that are both planned and measured. */
export const LAB_MEMORY_KINDS = [
  'weights',
  'gradients',
  'optimizer',
  'activations',
  'rollouts',
  'rest',
] as const;
export type LabMemoryKind = (typeof LAB_MEMORY_KINDS)[number];
export type LabMemory = Record<LabMemoryKind, number>;

export function measuredMemory(memory: RankMemory): LabMemory {
  const { weights, gradients, optimizer, programs, scratch, allocated } = memory;
  const activations = programs + scratch;
  const kept = weights + gradients + optimizer + activations + memory.rollouts;
  const rollouts = memory.rollouts + memory.gathered;
  const rest = Math.max(0, allocated - kept);
  return { weights, gradients, optimizer, activations, rollouts, rest };
}

export function plannedMemory(memory: PlannedMemory): LabMemory {
  const { weights, gradients, optimizer, activations, logits, temporaries } = memory;
  const rest = memory.inputs + memory.fragmentation;
  return {
    weights,
    gradients,
    optimizer,
    activations: activations + logits + temporaries,
    rollouts: memory.rollouts,
    rest,
  };
}

export const totalOf = (memory: LabMemory): number =>
  LAB_MEMORY_KINDS.reduce((sum, kind) => sum + memory[kind], 0);

/** Bytes of a step by kind of collective, of several ranks together. */
export type BytesByKind = Record<CollectiveKind, number>;

const noBytes = (): BytesByKind => ({
  all_reduce: 0,
  reduce_scatter: 0,
  all_gather: 0,
  broadcast: 0,
  send_recv: 0,
});

export function sentInStep(reports: readonly RankStep[]): BytesByKind {
  const sent = noBytes();
  for (const { bytes } of reports) for (const kind of COLLECTIVES) sent[kind] += bytes[kind];
  return sent;
}

export const allBytes = (sent: BytesByKind): number =>
  COLLECTIVES.reduce((sum, kind) => sum + sent[kind], 0);

const PASSES: ReadonlySet<Span['kind']> = new Set(['compute', 'forward', 'backward']);

/**
 * Share of the time of communication that lies inside the passes of the same rank: either they go on
 * meanwhile, or they need what is communicated, as in tensor parallelism. Null if no rank
 * communicates.
 */
export function overlapOf(reports: readonly RankStep[]): number | null {
  let all = 0;
  let hidden = 0;
  for (const { spans } of reports) {
    const computing = spans.filter(({ kind }) => PASSES.has(kind));
    for (const span of spans) {
      if (span.kind !== 'communicate') continue;
      all += span.end - span.start;
      for (const other of computing) {
        hidden += Math.max(0, Math.min(span.end, other.end) - Math.max(span.start, other.start));
      }
    }
  }
  return all > 0 ? Math.min(1, hidden / all) : null;
}

/** Mean of what `of` says of each step, without steps of which it says nothing. */
export function meanOf(
  steps: readonly (readonly RankStep[])[],
  of: (reports: readonly RankStep[]) => number | null,
): number | null {
  const values = steps.map(of).filter((value) => value !== null);
  if (values.length === 0) return null;
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Milliseconds of a rank by kind of span. */
export function timeByKind(spans: readonly Span[]): Partial<Record<Span['kind'], number>> {
  const time: Partial<Record<Span['kind'], number>> = {};
  for (const { kind, start, end } of spans) time[kind] = (time[kind] ?? 0) + (end - start);
  return time;
}
