import { expect, test } from 'vitest';
import { ONE_RANK, type RankStep, type Span } from '../../common/index.ts';
import { defaultConfig, resolveModel } from '../../config/index.ts';
import { plainMesh } from './choices.ts';
import { holdingWords } from './holdings.ts';
import { bubbleOf, overlapOf } from './measured.ts';
import { labWarnings, pageProblems } from './problems.ts';
import { bucketOverlap, laidOutBubble, reducesDuringPass } from './schedule_measures.ts';
import { plannedTimeline } from './timeline.ts';

const span = (kind: Span['kind'], start: number, end: number): Span => {
  return { kind, what: '', start, end };
};

const report = (rank: number, spans: Span[]): RankStep => ({
  rank,
  step: 1,
  loss: 1,
  grad_norm: 1,
  ms: 10,
  bytes: { all_reduce: 0, reduce_scatter: 0, all_gather: 0, broadcast: 0, send_recv: 0 },
  spans,
});

test('the bubble of a schedule that is measured as planned is the formula', () => {
  const { ranks } = plannedTimeline({ ...ONE_RANK, pp: 4, schedule: 'gpipe' }, 8);
  const reports = ranks.map(({ rank, lanes }) => report(rank, lanes[0]));
  expect(bubbleOf(reports)).toBeCloseTo(3 / 11);
  expect(bubbleOf([report(0, [span('compute', 0, 5)])])).toBeNull();
});

const pass = (kind: Span['kind'], start: number, end: number): Span => {
  return { ...span(kind, start, end), micro_batch: 0, chunk: 0 };
};

test('the bubble without messages comes from the times that the passes took', () => {
  const mesh = { ...ONE_RANK, pp: 2, schedule: '1f1b' } as const;
  const first = report(0, [pass('forward', 0, 1), pass('backward', 9, 11)]);
  const second = report(1, [pass('forward', 2, 4), pass('backward', 4, 8)]);
  expect(bubbleOf([first, second])).toBeCloseTo(1 - 9 / 22);
  expect(laidOutBubble([first, second], mesh, 1)).toBeCloseTo(1 - 9 / 18);
  expect(laidOutBubble([first, second], mesh, 2)).toBeNull();
  expect(laidOutBubble([report(0, [])], ONE_RANK, 1)).toBeNull();
});

test('the overlap of buckets is what of their reduction lies before the end of the last pass', () => {
  const bucket = (bytes: number, start: number, end: number): Span => {
    return { ...span('communicate', start, end), what: `reduce_scatter bucket of ${end}`, bytes };
  };
  const fast = report(0, [span('compute', 0, 29), bucket(30, 15, 18), bucket(10, 30, 31)]);
  const slow = report(1, [span('compute', 0, 30), bucket(30, 15, 18), bucket(10, 30, 31)]);
  expect(bucketOverlap([fast, slow])).toEqual({
    exposed_ms: 1,
    communication_ms: 4,
    measured: 0.75,
    formula: 0.75,
  });
  expect(bucketOverlap([report(0, [span('compute', 0, 1)])])).toBeNull();
  const tooShort = { ...span('wait', 1, 2), what: 'reduce_scatter bucket of x' };
  expect(bucketOverlap([report(0, [span('compute', 0, 1), tooShort])])).toBeNull();
});

test('only buckets that other ranks get during the pass can be hidden by it', () => {
  const mesh = { ...ONE_RANK, dp: 2 };
  expect(reducesDuringPass(mesh)).toBe(true);
  expect(reducesDuringPass({ ...mesh, sync_each_batch: true })).toBe(false);
  expect(reducesDuringPass({ ...mesh, zero_stage: 2 })).toBe(false);
  expect(reducesDuringPass({ ...ONE_RANK, tp: 2 })).toBe(false);
});

test('the overlap is the share of communication inside the passes', () => {
  const spans = [span('compute', 0, 10), span('communicate', 8, 12), span('communicate', 20, 24)];
  expect(overlapOf([report(0, spans)])).toBeCloseTo(0.25);
  expect(overlapOf([report(0, [span('compute', 0, 1)])])).toBeNull();
});

test('interleaved stages hold every other chunk of layers', () => {
  const mesh = { ...ONE_RANK, pp: 2, schedule: 'interleaved', virtual_chunks: 2 } as const;
  expect(holdingWords(mesh, 4, 0)).toBe('Rank 0 holds embedding, layer 1, layer 3');
  expect(holdingWords(mesh, 4, 1)).toBe('Rank 1 holds layer 2, layer 4, head');
  expect(holdingWords({ ...ONE_RANK, dp: 2, tp: 2, zero_stage: 1 }, 1, 3)).toBe(
    'Rank 3 holds slice 2 of 2 of embedding, layer 1, head; of the moments, part 2 of 2',
  );
});

test('a mesh keeps no choice that it has no use for', () => {
  const mesh = {
    dp: 1,
    tp: 1,
    pp: 2,
    zero_stage: 3,
    schedule: 'gpipe',
    virtual_chunks: 1,
  } as const;
  expect(plainMesh(mesh)).toEqual({ ...mesh, zero_stage: 0 });
  expect(plainMesh({ ...mesh, dp: 2, pp: 1 })).toEqual({
    ...ONE_RANK,
    dp: 2,
    zero_stage: 3,
  });
  const synced = { ...ONE_RANK, dp: 2, sync_each_batch: true };
  expect(plainMesh(synced)).toEqual(synced);
  expect(plainMesh({ ...synced, zero_stage: 2 })).toEqual({ ...ONE_RANK, dp: 2, zero_stage: 2 });
});

test('more ranks than a page has are a problem, more than its cores a warning', () => {
  const { model, training } = defaultConfig();
  const run = { model: resolveModel(model, 64), training };
  expect(pageProblems({ ...ONE_RANK, dp: 4, tp: 4 }, run)[0]?.message).toContain('takes 16 ranks');
  const asked = { asks_for_float16: false, asks_for_float16_weights: false };
  const limits = { ...asked, ranks: 4, cores: 2, bytes_needed: 9e9, bytes_here: 1e9 };
  expect(labWarnings(limits)).toHaveLength(2);
  const fitting = { ...limits, cores: null, bytes_here: null };
  expect(labWarnings(fitting)).toEqual([]);
  expect(labWarnings({ ...fitting, asks_for_float16: true })).toEqual([
    'The recipe asks for float16 activations; ranks compute in float32 instead.',
  ]);
  expect(labWarnings({ ...fitting, asks_for_float16_weights: true })).toEqual([
    'The stage asks for frozen weights in float16; ranks keep them in float32 instead.',
  ]);
});
