/** Rounds of a room: local steps from given weights, between which the run is held. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { TrainRoundCommand } from '../protocol/index.ts';
import { SessionHarness, startCommand } from './testing_session.ts';

let session: SessionHarness;
beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  session = new SessionHarness();
});
afterEach(() => {
  session.send({ type: 'stop' });
  vi.restoreAllMocks();
});

let id = 0;
async function round(change: Partial<TrainRoundCommand>) {
  const command = { type: 'train_round', id: ++id, parameters: null, step: 0, steps: 0 } as const;
  const shard = { index: 0, count: 2 };
  session.send({ ...command, shard, evaluate: false, ...change });
  const { id: of } = command;
  return session.next('round_trained', (event) => event.id === of);
}
async function held(): Promise<void> {
  session.send(startCommand({ paused: true }));
  await session.paused();
  await round({});
  session.send({ type: 'train' });
}

it('takes exactly the steps of a round, from the given weights, and holds', async () => {
  await held();
  const first = await round({ parameters: Float32Array.of(100), steps: 3 });
  // The fake adds one to the weight at each step.
  expect(first).toMatchObject({ steps: 3, parameters: Float32Array.of(103), val_loss: null });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(session.trainer.step).toBe(3);
  const second = await round({ parameters: Float32Array.of(7), step: 6, steps: 2, evaluate: true });
  expect(second).toMatchObject({ steps: 2, parameters: Float32Array.of(9), val_loss: 2 });
  expect(session.trainer.step).toBe(8);
});

it('answers when it only writes and evaluates, however often', async () => {
  await held();
  for (let i = 0; i < 5; i++) {
    await round({ parameters: Float32Array.of(i), evaluate: true });
    expect(await round({ steps: 2 })).toMatchObject({
      steps: 2,
      parameters: Float32Array.of(i + 2),
    });
  }
});

it('reports the losses of a round before it answers', async () => {
  await held();
  const { id: of } = await round({ steps: 3 });
  const answered = session.events.findIndex((event) => 'id' in event && event.id === of);
  const told = session.events
    .slice(0, answered)
    .flatMap((event) => (event.type === 'metrics' ? [...(event.columns['train/loss'] ?? [])] : []));
  expect(told.filter(Number.isFinite)).toHaveLength(3);
});

it('ends a round at the next step, and pauses and saves between steps of it', async () => {
  await held();
  session.send({ type: 'pause' });
  const waiting = round({ steps: 5 });
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(session.trainer.step).toBe(0);
  session.send({ type: 'save', id: 900 });
  await session.next('saved', (event) => event.id === 900);
  session.send({ type: 'end_rounds', id: 901, hold: true });
  expect(await waiting).toMatchObject({ steps: 0 });
});

it('ends a round with the run, and keeps weights that are written then', async () => {
  await held();
  expect(await round({ step: 17, steps: 10 })).toMatchObject({ steps: 3 });
  await session.next('finished');
  expect(await round({ parameters: Float32Array.of(5) })).toMatchObject({
    parameters: Float32Array.of(5),
  });
});

it('trains on as usual when the rounds are over', async () => {
  await held();
  await round({ steps: 2 });
  session.send({ type: 'end_rounds', id: 901, hold: false });
  expect(await session.next('finished')).toMatchObject({ step: 20 });
});

it('keeps the state of a room with its run', async () => {
  await held();
  session.send({ type: 'read_pool', id: 901, run: 'first' });
  expect(await session.next('pool')).toMatchObject({ bytes: null });
  for (const value of [1, 2, 3]) {
    session.send({ type: 'keep_pool', id: value, run: 'first', bytes: Uint8Array.of(value, 9) });
    await session.next('pool_kept', (event) => event.id === value);
  }
  session.send({ type: 'read_pool', id: 902, run: 'first' });
  const read = await session.next('pool', (event) => event.id === 902);
  expect(read.bytes).toEqual(Uint8Array.of(3, 9));
});
