/** Brings what the ranks report and what is planned into one form, to compare them. Pure functions. */
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

/** Bytes by kind as a rank has reported them. */
export function measuredMemory(memory: RankMemory): LabMemory {
  const { weights, gradients, optimizer, programs, scratch, allocated } = memory;
  const activations = programs + scratch;
  const allocatedByKind = weights + gradients + optimizer + activations + memory.rollouts;
  // `gathered` is not allocated any more when a rank reports.
  const rollouts = memory.rollouts + memory.gathered;
  const rest = Math.max(0, allocated - allocatedByKind);
  return { weights, gradients, optimizer, activations, rollouts, rest };
}

/** Bytes by kind as they are planned for a rank. */
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

/** Bytes that all ranks have sent in a step. */
export function sentInStep(reports: readonly RankStep[]): BytesByKind {
  const sent = noBytes();
  for (const { bytes } of reports) for (const kind of COLLECTIVES) sent[kind] += bytes[kind];
  return sent;
}

export const allBytes = (sent: BytesByKind): number =>
  COLLECTIVES.reduce((sum, kind) => sum + sent[kind], 0);

const PASSES: ReadonlySet<Span['kind']> = new Set(['compute', 'forward', 'backward']);

/**
 * Share of communication time that is inside the passes of the same rank. Either the pass continues
 * meanwhile, or it needs what is communicated, as in tensor parallelism. Null without communication.
 */
export function overlapOf(reports: readonly RankStep[]): number | null {
  let total = 0;
  let hidden = 0;
  for (const { spans } of reports) {
    const computing = spans.filter(({ kind }) => PASSES.has(kind));
    for (const span of spans) {
      if (span.kind !== 'communicate') continue;
      total += span.end - span.start;
      for (const pass of computing) {
        hidden += Math.max(0, Math.min(span.end, pass.end) - Math.max(span.start, pass.start));
      }
    }
  }
  return total > 0 ? Math.min(1, hidden / total) : null;
}

/** Mean of a measure over steps, without those for which it is null; null if there are no others. */
export function meanOf(
  steps: readonly (readonly RankStep[])[],
  measure: (reports: readonly RankStep[]) => number | null,
): number | null {
  const values = steps.map(measure).filter((value) => value !== null);
  if (values.length === 0) return null;
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/** Milliseconds of a rank by kind of span. */
export function timeByKind(spans: readonly Span[]): Partial<Record<Span['kind'], number>> {
  const time: Partial<Record<Span['kind'], number>> = {};
  for (const { kind, start, end } of spans) time[kind] = (time[kind] ?? 0) + (end - start);
  return time;
}
