/** Buckets of gradients that are reduced while the backward pass goes on, here or by other threads. */
import { afterEach, beforeAll, expect, test } from 'vitest';
import { type Mesh, ONE_RANK } from '../common/index.ts';
import { pretrain } from '../objectives/index.ts';
import { connectRank } from '../protocol/rank_port.ts';
import { connectRankOfReducer, connectReducer } from '../protocol/reducer_port.ts';
import { startEngine } from '../testing/node_engine.ts';
import { RankTrainer } from './rank_trainer.ts';
import { serveReducer } from './reducer_server.ts';
import { ReducerThread } from './reducer_thread.ts';
import { expectSameBits, patternSplit, smallConfig, trainRanks, VOCAB } from './testing_ranks.ts';
import { connectRanks } from './transport/local.ts';
import { type Link, RankLost } from './transport/link.ts';

beforeAll(startEngine);

const threads: ReducerThread[] = [];
afterEach(() => {
  for (const thread of threads.splice(0)) thread.close();
});

/** Bytes of a bucket: so few that the gradients of a layer fill several. */
const SMALL_BUCKET = 4096;

const config = smallConfig({ training: { gradient_accumulation_steps: 2, batch_size: 4 } });

test.each<[string, Partial<Mesh>]>([
  ['data parallelism', { dp: 2 }],
  ['ZeRO-1', { dp: 2, zero_stage: 1 }],
  ['a pipeline', { dp: 2, pp: 2 }],
  ['tensor parallelism', { dp: 2, tp: 2 }],
])('small buckets give the same bits as a single one with %s', async (_name, mesh) => {
  const run = { config, steps: 5, mesh };
  const whole = await trainRanks({ ...run, bucket_bytes: Infinity });
  expectSameBits(whole, await trainRanks({ ...run, bucket_bytes: SMALL_BUCKET }));
});

/** Two ranks, each with a reducer behind a message port. */
function twoThreads(): ReducerThread[] {
  const between = new MessageChannel();
  return [between.port1, between.port2].map((peer, rank) => {
    const { port1, port2 } = new MessageChannel();
    for (const port of [port1, port2]) port.start();
    connectRankOfReducer(port2, (scope, { ranks, ports }) => {
      const connected = ports.map((peer) => ({ rank: peer.rank, port: connectRank(peer.port) }));
      serveReducer(scope, { rank, ranks, ports: connected });
    });
    const open = { rank, ranks: [0, 1], ports: [{ rank: 1 - rank, port: peer }] };
    const thread = new ReducerThread(
      connectReducer(port1, open, () => port1.close()),
      () => 20_000,
    );
    threads.push(thread);
    return thread;
  });
}

const create = (reducers: readonly ReducerThread[] = [], links = connectRanks(2)) =>
  Promise.all(
    links.map((link, rank) =>
      RankTrainer.create({
        config,
        link,
        objective: pretrain,
        split: patternSplit(),
        vocab_size: VOCAB,
        mesh: { ...ONE_RANK, dp: 2 },
        reducer: reducers[rank],
        bucket_bytes: SMALL_BUCKET,
      }),
    ),
  );

test('buckets are reduced while the backward pass of the last micro-batch runs', async () => {
  const trainers = await create();
  await Promise.all(trainers.map((trainer) => trainer.takeStep()));
  const spans = trainers[0]?.recorder.take().spans ?? [];
  const [first, last] = spans.filter(({ kind }) => kind === 'compute');
  const began = spans.filter(({ what }) => what.startsWith('reduce_scatter bucket of '));
  const inLast = began.filter(({ start }) => start < (last?.end ?? 0));
  expect(inLast.length).toBeGreaterThan(5);
  expect(Math.min(...began.map(({ start }) => start))).toBeGreaterThan(first?.end ?? Infinity);
  for (const trainer of trainers) trainer.dispose();
});

test('reducer threads compute the same bits, and their bytes are counted', async () => {
  const { losses, norms } = await trainRanks({ config, steps: 3, mesh: { dp: 2 } });
  const trainers = await create(twoThreads());
  for (const [i, loss] of losses.entries()) {
    const [first] = await Promise.all(trainers.map((trainer) => trainer.takeStep()));
    expect([first?.loss, first?.grad_norm]).toEqual([loss, norms[i]]);
    const taken = trainers.map(({ recorder }) => recorder.take().bytes);
    const gradients = taken.reduce((sum, { reduce_scatter }) => sum + reduce_scatter, 0);
    expect(gradients).toBe(4 * (trainers[0]?.n_params ?? NaN));
  }
  for (const trainer of trainers) trainer.dispose();
});

test('a reducer thread that stops rejects pending and later requests with the reason', async () => {
  let die: (reason: string) => void = () => undefined;
  const thread = new ReducerThread(
    {
      send: () => undefined,
      onMessage: () => undefined,
      onDeath: (listener) => (die = listener),
      close: () => undefined,
    },
    () => 20_000,
  );
  const request = () => thread.reduce({ slices: [Float32Array.of(1)], tag: 'x', gathers: true });
  const waiting = request();
  die('out of memory');
  await expect(waiting).rejects.toThrow('stopped: out of memory.');
  await expect(request()).rejects.toThrow('stopped: out of memory.');
});

test('a reducer thread that waits for a lost rank rejects with RankLost', async () => {
  const [thread] = twoThreads();
  const waiting = thread?.reduce({
    slices: [Float32Array.of(1), Float32Array.of(2)],
    tag: 'x',
    gathers: true,
  });
  thread?.lose(1, 'is gone');
  const lost = await waiting?.catch((error: RankLost) => error);
  expect(lost).toMatchObject({ message: 'Rank 1 is gone, so the run has ended.', rank: 1 });
});

test('a rank that is lost while the sums of a step are exchanged rejects the step alone', async () => {
  const lost = (from: number) => Promise.reject(new RankLost(from, 'is gone'));
  const links = connectRanks(2).map((link): Link => {
    if (link.rank === 1) return link;
    const isSum = (tag: string): boolean => tag === 'sums' || tag === 'pause requests';
    return { ...link, receive: (from, tag) => (isSum(tag) ? lost(from) : link.receive(from, tag)) };
  });
  const [first, second] = await create([], links);
  const rejected = expect(first?.takeStep()).rejects.toThrow('Rank 1 is gone');
  const waiting = expect(second?.takeStep()).rejects.toThrow('Rank 0 is gone');
  await rejected;
  links[0]?.close();
  await waiting;
  for (const trainer of [first, second]) trainer?.dispose();
});

test('one rank leaves its gradients where the update reads them', async () => {
  const spansOf = async (mesh: Partial<Mesh>) => {
    const { trainers } = await trainRanks({ config: smallConfig(), mesh, steps: 1 });
    return trainers[0]?.recorder.take().spans.map(({ what }) => what) ?? [];
  };
  expect(await spansOf({ dp: 2 })).toContain('write gradients');
  const alone = await spansOf({});
  expect(alone).toContain('update');
  expect(alone).not.toContain('write gradients');
});
