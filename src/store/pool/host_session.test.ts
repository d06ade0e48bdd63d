/** The host's page: what it keeps of a room, and how it comes back. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { memoryChannels } from '../../parallel/pool/channel.ts';
import { decodeMessage, encodeMessage } from '../../parallel/pool/messages.ts';
import { setField, setText } from '../form.ts';
import { HostSession } from './host_session.ts';
import { keepRoom, leftRoom } from './left_room.ts';
import { RunTrainer } from './run_trainer.ts';
import { readRoom } from './saved_room.ts';
import { MemoryStorage } from '../../testing/memory_storage.ts';
import { type Disk, INITIAL, newDisk, newPage } from './testing_worker.ts';

const OUTER = { local_steps: 5, outer_learning_rate: 0.7, outer_momentum: 0.8 };
const BUILD = 'index-1.js';

const clients: ReturnType<typeof newPage>['client'][] = [];
beforeEach(() => {
  vi.stubGlobal('localStorage', new MemoryStorage());
  vi.stubGlobal('sessionStorage', new MemoryStorage());
});
afterEach(() => {
  for (const client of clients.splice(0)) client.stop();
  vi.unstubAllGlobals();
});

function contextOf(disk: Disk) {
  const { client, worker } = newPage(disk);
  clients.push(client);
  setField(client.stores.form, 'training.max_iters', 20);
  const context = {
    client,
    trainer: new RunTrainer(client),
    build: BUILD,
    changed: () => undefined,
  };
  return { context, client, worker };
}

it('has something to come back to before anybody joins', async () => {
  const disk = newDisk();
  const session = await HostSession.create(OUTER, contextOf(disk).context);
  const left = leftRoom();
  const { code, plan, token } = session.room;
  expect(left).toMatchObject({ code, name: plan.name });
  expect(disk.weights.get(left?.run ?? '')).toEqual(INITIAL);
  const saved = readRoom(disk.rooms.get(left?.run ?? '') ?? new Uint8Array());
  expect(saved).toMatchObject({ code, token, plan: { steps: 20, n_params: INITIAL.length } });
  expect(saved?.state.parameters).toEqual(INITIAL);
});

it('comes back with its letters, its token, its rounds and its weights', async () => {
  const disk = newDisk();
  const session = await HostSession.create(OUTER, contextOf(disk).context);
  session.room.optimizer.apply({ halves: Uint16Array.of(0x3c00, 0, 0xbc00), exponent: 0 });
  session.room.memory.evaluations.push({ round: 1, step: 5, val_loss: 2 });
  await session.keep(true);
  session.close();
  const { room } = await HostSession.reopen(contextOf(disk).context);
  const { code, token, plan, memory } = session.room;
  expect(room).toMatchObject({ code, token, plan, memory });
  expect(room.optimizer.state).toEqual(session.room.optimizer.state);
  expect(room.optimizer.state.round).toBe(1);
});

it('says so if nothing of the room is left', async () => {
  const gone = /What this browser had kept of the room is gone/u;
  await expect(HostSession.reopen(contextOf(newDisk()).context)).rejects.toThrow(gone);
  keepRoom({ code: 'ABCDEF', run: 'deleted', name: 'Room' });
  await expect(HostSession.reopen(contextOf(newDisk()).context)).rejects.toThrow(gone);
});

it('refuses a tokenizer that members cannot have', async () => {
  const { context, client } = contextOf(newDisk());
  setField(client.stores.form, 'tokenizer.kind', 'imported');
  await expect(HostSession.create(OUTER, context)).rejects.toThrow(/tokenizer from a file/u);
});

it('sends its own text to those who join, and no text that every page has', async () => {
  const { context, client } = contextOf(newDisk());
  setText(client.stores.form, { name: 'fox.txt', bytes: new TextEncoder().encode('the fox') });
  for (const [corpus, expected] of [
    ['own', 'the fox'],
    ['names', ''],
  ] as const) {
    setField(client.stores.form, 'data.corpus', corpus);
    const session = await HostSession.create(OUTER, context);
    const [here, there] = memoryChannels();
    session.host.accept(there);
    const answered = new Promise<Uint8Array>((resolve) => here.onMessage(resolve));
    const identity = {
      token: 'a'.repeat(32),
      name: 'Pupil',
      build: BUILD,
      round: null,
      hash: null,
    };
    here.send(encodeMessage({ type: 'hello', room: session.room.code, ...identity }));
    const { message, payload } = decodeMessage(await answered);
    expect(message).toMatchObject({ type: 'welcome', plan: session.room.plan });
    expect(new TextDecoder().decode(payload)).toBe(expected);
  }
});
