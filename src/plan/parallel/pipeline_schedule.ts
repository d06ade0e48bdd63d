/**
 * Schedules of a pipeline as data: the order in which each rank works on micro-batches
 * (`pipelineActions`), and the times at which it does (`layOut`). `parallel/pipeline.ts` follows the
 * actions; the lab draws the times, also before a run.
 *
 * A rank holds one stage of consecutive layers, or several chunks of layers with the interleaved
 * schedule. Chunk c of rank r is virtual stage c p + r of the model, where p is the number of ranks:
 * activations pass through the virtual stages in order, gradients in reverse.
 */
import type { PipelineSchedule } from '../../common/index.ts';

/** One pass of one micro-batch through one chunk of layers. */
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
 * What each rank does in a step, in order [ranks][actions]. Every schedule runs the backward passes of a
 * chunk in the order of the micro-batches, so gradients are summed in the same order under all of them.
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

/** `warmUp` forward passes, then forward and backward in turns, then the remaining backward passes. */
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

/** The passes of GPipe and 1F1B: one chunk, micro-batch after micro-batch. */
function inOrder({ micro_batches }: PipelineShape): Passes {
  const passes = (kind: PipelineAction['kind']): PipelineAction[] =>
    Array.from({ length: micro_batches }, (_, micro_batch) => ({ kind, micro_batch, chunk: 0 }));
  return { forward: passes('forward'), backward: passes('backward') };
}

/**
 * The passes of the interleaved schedule: groups of p micro-batches go through one chunk after the other
 * (Narayanan et al. 2021, section 2.2; `get_model_chunk_id` in Megatron-LM's schedules.py).
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

/** The largest number of micro-batches of a chunk that are in flight at a time. */
export function mostInFlight(actions: readonly PipelineAction[], chunk: number): number {
  let inFlight = 0;
  let peak = 0;
  for (const action of actions) {
    if (action.chunk !== chunk) continue;
    inFlight += action.kind === 'forward' ? 1 : -1;
    peak = Math.max(peak, inFlight);
  }
  return peak;
}

/** An action with its start and end, in the unit of `PassTimes`. */
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

/** Time of one pass through one chunk, in any unit. */
export type PassDuration = (pass: PlacedAction) => number;

/**
 * Lays a schedule out in time: a pass starts as soon as its rank is free and its input has been computed.
 * Messages take no time. By default a backward pass takes twice as long as a forward pass; a function
 * gives each pass its own time, such as a measured one.
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
  const schedule = pipelineActions(shape);
  const ranks = schedule.map((): TimedAction[] => []);
  /** Ends of the passes that have been laid out, by `keyOf`. */
  const ends = new Map<string, number>();
  const total = schedule.reduce((sum, actions) => sum + actions.length, 0);
  while (ends.size < total) {
    const sizeBefore = ends.size;
    schedule.forEach((actions, rank) => {
      const placed = ranks[rank] ?? [];
      for (let action = actions[placed.length]; action; action = actions[placed.length]) {
        const ready = readyAt(shape, { ...action, rank }, ends);
        if (ready === undefined) return;
        const start = Math.max(ready, placed.at(-1)?.end ?? 0);
        const end = start + durationOf({ ...action, rank });
        placed.push({ ...action, start, end });
        ends.set(keyOf({ ...action, rank }), end);
      }
    });
    if (ends.size === sizeBefore)
      throw new Error('The ranks of this schedule wait for each other.');
  }
  const duration = Math.max(0, ...ends.values());
  const busy = ranks.flat().reduce((sum, { start, end }) => sum + (end - start), 0);
  return { ranks, duration, bubble: duration > 0 ? 1 - busy / (duration * stages) : 0 };
}

/** An action of a rank. */
export type PlacedAction = PipelineAction & { rank: number };

const keyOf = ({ kind, micro_batch, chunk, rank }: PlacedAction): string =>
  `${kind} ${micro_batch} ${chunk} ${rank}`;

/** When the input of a pass is ready; undefined if the pass that computes it has no time yet. */
function readyAt(
  { stages, virtual_chunks }: PipelineShape,
  action: PlacedAction,
  ends: ReadonlyMap<string, number>,
): number | undefined {
  const virtualStage = action.chunk * stages + action.rank;
  const sourceStage = virtualStage + (action.kind === 'forward' ? -1 : 1);
  if (sourceStage < 0) return 0;
  const isLast = sourceStage === stages * virtual_chunks;
  // The backward pass of the last stage starts from its own forward pass.
  const source: PlacedAction = isLast
    ? { ...action, kind: 'forward' }
    : { ...action, rank: sourceStage % stages, chunk: Math.floor(sourceStage / stages) };
  return ends.get(keyOf(source));
}
