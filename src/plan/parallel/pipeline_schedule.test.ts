import { describe, expect, test } from 'vitest';
import { ONE_RANK } from '../../common/index.ts';
import {
  layOut,
  mostInFlight,
  pipelineActions,
  type PipelineAction,
  type PipelineShape,
  type TimedAction,
} from './pipeline_schedule.ts';
import { chunksInFlight, inFlightByChunk } from './in_flight.ts';
import { bubbleFraction } from './step_time.ts';

const shapes: PipelineShape[] = [];
for (const stages of [2, 3, 4, 8]) {
  for (const micro_batches of [1, 4, 8, 24]) {
    shapes.push({ schedule: 'gpipe', stages, micro_batches, virtual_chunks: 1 });
    shapes.push({ schedule: '1f1b', stages, micro_batches, virtual_chunks: 1 });
    if (micro_batches % stages !== 0) continue;
    for (const virtual_chunks of [1, 2, 3]) {
      shapes.push({ schedule: 'interleaved', stages, micro_batches, virtual_chunks });
    }
  }
}

const nameOf = ({ schedule, stages, micro_batches, virtual_chunks }: PipelineShape): string =>
  `${schedule} p=${stages} m=${micro_batches} v=${virtual_chunks}`;

describe.each(shapes.map((shape) => [nameOf(shape), shape] as const))('%s', (_, shape) => {
  const { stages, micro_batches, virtual_chunks, schedule } = shape;
  const actions = pipelineActions(shape);

  test('every chunk runs every micro-batch forward and backward once, in order', () => {
    expect(actions).toHaveLength(stages);
    const inOrder = Array.from({ length: micro_batches }, (_, i) => i);
    for (const ofRank of actions) {
      expect(ofRank).toHaveLength(2 * micro_batches * virtual_chunks);
      for (let chunk = 0; chunk < virtual_chunks; chunk++) {
        for (const kind of ['forward', 'backward'] as const) {
          const passes = ofRank.filter((one) => one.chunk === chunk && one.kind === kind);
          expect(passes.map((one) => one.micro_batch)).toEqual(inOrder);
        }
      }
    }
  });

  test('no pass begins before what it reads, and the bubble is that of the plan', () => {
    const timeline = layOut(shape);
    expectDependencies(timeline.ranks, stages, virtual_chunks);
    const bubble = (stages - 1) / (virtual_chunks * micro_batches + stages - 1);
    expect(timeline.bubble).toBeCloseTo(bubble, 12);
    const mesh = { ...ONE_RANK, pp: stages, schedule, virtual_chunks };
    expect(bubbleFraction(mesh, micro_batches)).toBeCloseTo(bubble, 12);
  });

  test('holds as many micro-batches as the schedule allows', () => {
    actions.forEach((ofRank, rank) => {
      const most = mostInFlight(ofRank, 0);
      if (schedule === 'gpipe') expect(most).toBe(micro_batches);
      if (schedule === '1f1b') expect(most).toBe(Math.min(micro_batches, stages - rank));
      const mesh = { ...ONE_RANK, pp: stages, schedule, virtual_chunks };
      expect(peakOf(ofRank)).toBe(chunksInFlight(mesh, micro_batches, rank));
      const byChunk = Array.from({ length: virtual_chunks }, (_, chunk) =>
        mostInFlight(ofRank, chunk),
      );
      expect(inFlightByChunk(mesh, micro_batches, rank)).toEqual(byChunk);
    });
  });
});

/** Chunks that wait for their backward passes at most. */
function peakOf(actions: readonly PipelineAction[]): number {
  let waiting = 0;
  return Math.max(...actions.map(({ kind }) => (waiting += kind === 'forward' ? 1 : -1)));
}

function expectDependencies(
  ranks: readonly TimedAction[][],
  stages: number,
  virtual_chunks: number,
): void {
  const find = (kind: string, micro_batch: number, virtual: number): TimedAction => {
    const found = ranks[virtual % stages]?.find(
      (one) =>
        one.kind === kind &&
        one.micro_batch === micro_batch &&
        one.chunk === Math.floor(virtual / stages),
    );
    if (!found) throw new Error(`No ${kind} of micro-batch ${micro_batch} on ${virtual}.`);
    return found;
  };
  ranks.forEach((actions, rank) => {
    actions.forEach((action, i) => {
      expect(action.start).toBeGreaterThanOrEqual(actions[i - 1]?.end ?? 0);
      const { kind, micro_batch, chunk, start } = action;
      const virtual = chunk * stages + rank;
      if (kind === 'backward')
        expect(start).toBeGreaterThanOrEqual(find('forward', micro_batch, virtual).end);
      const source = virtual + (kind === 'forward' ? -1 : 1);
      if (source < 0 || source >= stages * virtual_chunks) return;
      expect(start).toBeGreaterThanOrEqual(find(kind, micro_batch, source).end);
    });
  });
}

test('the interleaved schedule needs a multiple of the stages', () => {
  const shape = {
    schedule: 'interleaved',
    stages: 4,
    micro_batches: 6,
    virtual_chunks: 2,
  } as const;
  expect(() => pipelineActions(shape)).toThrow('a multiple of 4 micro-batches, not 6');
});
