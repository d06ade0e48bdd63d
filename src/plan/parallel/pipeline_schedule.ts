/**
 * Schedules of a pipeline as data: in which order each rank works on micro-batches, and, laid out on
 * time, when. Nothing here runs anything, so a page can draw a schedule before it is trained with.
 *
 * A rank holds one stage of consecutive layers, or with the interleaved schedule several chunks. Chunk
 * c of rank r is virtual stage c p + r of the model: activations pass through the virtual stages in
 * order, gradients in reverse.
 */
import type { PipelineSchedule } from '../../common/index.ts';

export interface PipelineAction {
  kind: 'forward' | 'backward';
  micro_batch: number;
  /** Index of the chunk of layers on its rank; 0 unless the schedule is interleaved. */
  chunk: number;
}

export interface PipelineShape {
  schedule: PipelineSchedule;
  /** Ranks of the pipeline (p). */
  stages: number;
  /** Micro-batches of a step (m); with the interleaved schedule a multiple of `stages`. */
  micro_batches: number;
  /** Chunks of layers on a rank (v); 1 unless the schedule is interleaved. */
  virtual_chunks: number;
}

/**
 * What each rank does in a step, in order. Every schedule runs the backward passes of a chunk in the
 * order of the micro-batches, so that gradients are added up in the same order.
 *
 * @throws RangeError if the interleaved schedule does not get a multiple of `stages` micro-batches
 */
export function pipelineActions(shape: PipelineShape): PipelineAction[][] {
  const { schedule, stages } = shape;
  const ranks = Array.from({ length: stages }, (_, rank) => rank);
  switch (schedule) {
    case 'gpipe':
      return ranks.map(() => interleave(inOrder(shape), shape.micro_batches));
    case '1f1b':
      return ranks.map((rank) => interleave(inOrder(shape), stages - rank - 1));
    case 'interleaved':
      return ranks.map((rank) => interleave(inGroups(shape), warmUpOf(shape, rank)));
    default:
      return schedule satisfies never;
  }
}

/** The forward and the backward passes of a rank, each in order. */
interface Passes {
  forward: PipelineAction[];
  backward: PipelineAction[];
}

/** `warmUp` forward passes, then one forward and one backward in turns, then what is left. */
function interleave({ forward, backward }: Passes, warmUp: number): PipelineAction[] {
  const first = Math.min(warmUp, forward.length);
  const actions = forward.slice(0, first);
  backward.forEach((pass, i) => {
    const next = forward[first + i];
    if (next) actions.push(next);
    actions.push(pass);
  });
  return actions;
}

function inOrder({ micro_batches }: PipelineShape): Passes {
  const of = (kind: PipelineAction['kind']): PipelineAction[] =>
    Array.from({ length: micro_batches }, (_, micro_batch) => ({ kind, micro_batch, chunk: 0 }));
  return { forward: of('forward'), backward: of('backward') };
}

/**
 * Groups of p micro-batches go through chunk after chunk (Narayanan et al. 2021, section 2.2;
 * `get_model_chunk_id` of Megatron-LM's schedules.py).
 */
function inGroups({ stages, micro_batches, virtual_chunks }: PipelineShape): Passes {
  if (micro_batches % stages !== 0)
    throw new RangeError(
      `The interleaved schedule needs a multiple of ${stages} micro-batches, not ${micro_batches}.`,
    );
  const passes: Passes = { forward: [], backward: [] };
  for (let first = 0; first < micro_batches; first += stages) {
    for (let turn = 0; turn < virtual_chunks; turn++) {
      for (let i = 0; i < stages; i++) {
        const micro_batch = first + i;
        const last = virtual_chunks - 1;
        passes.forward.push({ kind: 'forward', micro_batch, chunk: turn });
        passes.backward.push({ kind: 'backward', micro_batch, chunk: last - turn });
      }
    }
  }
  return passes;
}

/** Forward passes before the first backward pass (Narayanan et al. 2021, Megatron-LM). */
function warmUpOf({ stages, virtual_chunks }: PipelineShape, rank: number): number {
  return 2 * (stages - rank - 1) + (virtual_chunks - 1) * stages;
}

/** How many micro-batches of a chunk wait for their backward passes at most. */
export function mostInFlight(actions: readonly PipelineAction[], chunk: number): number {
  let inFlight = 0;
  let most = 0;
  for (const action of actions) {
    if (action.chunk !== chunk) continue;
    inFlight += action.kind === 'forward' ? 1 : -1;
    most = Math.max(most, inFlight);
  }
  return most;
}

/** An action with its time. */
export interface TimedAction extends PipelineAction {
  start: number;
  end: number;
}

/** Time of one pass through all chunks of a rank, in any unit. */
export interface PassTimes {
  forward: number;
  backward: number;
}

export interface PipelineTimeline {
  /** What each rank does, in order. */
  ranks: TimedAction[][];
  /** Time of the whole step. */
  duration: number;
  /** Share of all ranks' time in which they wait: (p - 1) / (v m + p - 1). */
  bubble: number;
}

/** How long a pass of one chunk takes. */
export type PassDuration = (pass: PlacedAction) => number;

/**
 * Lays a schedule out on time, as if messages took none: a pass begins when its rank is free and its
 * input has been computed. A backward pass takes twice as long as a forward pass by default; the
 * passes may also take what was measured.
 *
 * @throws Error if ranks would wait for each other forever
 */
export function layOut(
  shape: PipelineShape,
  times: PassTimes | PassDuration = { forward: 1, backward: 2 },
): PipelineTimeline {
  const { stages, virtual_chunks } = shape;
  const durationOf: PassDuration =
    typeof times === 'function' ? times : ({ kind }) => times[kind] / virtual_chunks;
  const waiting = pipelineActions(shape);
  const ranks = waiting.map((): TimedAction[] => []);
  const ends = new Map<string, number>();
  const total = waiting.reduce((sum, actions) => sum + actions.length, 0);
  while (ends.size < total) {
    const before = ends.size;
    waiting.forEach((actions, rank) => {
      const done = ranks[rank] ?? [];
      for (let action = actions[done.length]; action; action = actions[done.length]) {
        const ready = readyAt(shape, { ...action, rank }, ends);
        if (ready === undefined) return;
        const start = Math.max(ready, done.at(-1)?.end ?? 0);
        const end = start + durationOf({ ...action, rank });
        done.push({ ...action, start, end });
        ends.set(keyOf({ ...action, rank }), end);
      }
    });
    if (ends.size === before) throw new Error('The ranks of this schedule wait for each other.');
  }
  const duration = Math.max(0, ...ends.values());
  const busy = ranks.flat().reduce((sum, { start, end }) => sum + (end - start), 0);
  return { ranks, duration, bubble: duration > 0 ? 1 - busy / (duration * stages) : 0 };
}

/** An action of a rank. */
export type PlacedAction = PipelineAction & { rank: number };

const keyOf = ({ kind, micro_batch, chunk, rank }: PlacedAction): string =>
  `${kind} ${micro_batch} ${chunk} ${rank}`;

/** When what a pass reads has been computed; undefined if it has not been yet. */
function readyAt(
  { stages, virtual_chunks }: PipelineShape,
  action: PlacedAction,
  ends: ReadonlyMap<string, number>,
): number | undefined {
  const virtual = action.chunk * stages + action.rank;
  const from = virtual + (action.kind === 'forward' ? -1 : 1);
  if (from < 0) return 0;
  const isLast = from === stages * virtual_chunks;
  // The backward pass of the last stage begins with its own forward pass.
  const source: PlacedAction = isLast
    ? { ...action, kind: 'forward' }
    : { ...action, rank: from % stages, chunk: Math.floor(from / stages) };
  return ends.get(keyOf(source));
}
