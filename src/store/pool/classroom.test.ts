/** Rooms as pages see them, with a network and workers in memory. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  memoryChannels,
  memoryLink,
  type MemoryLink,
  type PoolChannel,
} from '../../parallel/pool/channel.ts';
import { PoolError } from '../../parallel/pool/error.ts';
import { setField } from '../form.ts';
import { Classroom } from './classroom.ts';
import { MemoryStorage } from '../../testing/memory_storage.ts';
import { readRoom } from './saved_room.ts';
import { newDisk, newPage } from './testing_worker.ts';

/** What a signalling server and the network know. */
const network = vi.hoisted(() => ({
  rooms: new Map<string, (channel: unknown) => void>(),
  channels: [] as { close: () => void }[],
  isBlocked: false,
  /** The signalling server still holds the letters for a page that has died. */
  isTaken: false,
  /** Of connections by codes. */
  links: [] as MemoryLink[],
  /** Tell whether the host is reached, by member's answer. */
  reached: [] as ((isReached: boolean) => void)[],
  /** Whether laptops have an address. */
  hasAddress: true,
  /** How many codes of hosts were given up. */
  withdrawn: 0,
  /** Rooms of answers that were given up. */
  givenUp: [] as string[],
}));
vi.mock('../../parallel/pool/transport/peer_room.ts', () => ({
  openRoom: (code: string, _page: URL, accept: (channel: PoolChannel) => void) => {
    if (network.isBlocked) return Promise.reject(noServer());
    if (network.isTaken) return Promise.reject(new PoolError('taken', 'Taken.', 'Close it.'));
    network.rooms.set(code, (channel) => accept(channel as PoolChannel));
    return Promise.resolve({ close: () => network.rooms.delete(code) });
  },
  joinRoom: (code: string) => {
    const open = network.rooms.get(code);
    if (network.isBlocked || !open) {
      return Promise.reject(network.isBlocked ? noServer() : noRoom());
    }
    const [here, there] = memoryChannels();
    network.channels.push(here);
    open(there);
    return Promise.resolve(here);
  },
}));
vi.mock('../../parallel/pool/transport/codes.ts', () => {
  let answered: (channel: PoolChannel) => void = () => undefined;
  const close = () => {
    network.withdrawn++;
  };
  const accept = (answer: string) => {
    if (network.isBlocked && answer === 'the answer of another network') {
      return Promise.reject(new PoolError('blocked', 'Not reached.', 'Use another network.'));
    }
    if (answer !== 'the answer') return Promise.reject(noRoom());
    const link = memoryLink();
    const [here, there] = link.ends;
    network.links.push(link);
    network.channels.push(here);
    answered(here);
    return Promise.resolve(there);
  };
  return {
    invite: (room: string) =>
      network.hasAddress
        ? Promise.resolve({ code: `code of ${room}`, accept, close })
        : Promise.reject(new PoolError('blocked', 'No address.', 'Connect to a Wi-Fi.')),
    answer: (offer: string, reached: (isReached: boolean) => void) => {
      network.reached.push(reached);
      const channel = new Promise<PoolChannel>((resolve) => {
        answered = resolve;
      });
      const room = offer.slice(-6);
      const giveUp = () => network.givenUp.push(room);
      return Promise.resolve({ room, code: 'the answer', channel, close: giveUp });
    },
  };
});
const noServer = () => new PoolError('offline', 'No rooms.', 'Serve the page.');
const noRoom = () => new PoolError('no_room', 'No such room.', 'Check the letters.');

const OUTER = { local_steps: 5, outer_learning_rate: 0.7, outer_momentum: 0.5 };
const clients: ReturnType<typeof newPage>['client'][] = [];

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('localStorage', new MemoryStorage());
});
afterEach(() => {
  for (const client of clients.splice(0)) client.stop();
  network.rooms.clear();
  network.channels.length = 0;
  network.links.length = 0;
  network.reached.length = 0;
  network.givenUp.length = 0;
  network.withdrawn = 0;
  network.hasAddress = true;
  network.isBlocked = false;
  network.isTaken = false;
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A tab of its own: its session storage counts while `action` runs. */
function newTab(disk = newDisk(), build = 'index-1.js') {
  const page = newPage(disk);
  clients.push(page.client);
  setField(page.client.stores.form, 'training.max_iters', 40);
  vi.stubGlobal('sessionStorage', new MemoryStorage());
  const address = () => new URL('https://192.168.0.7:8443/');
  const classroom = new Classroom(page.client, build, address);
  return { ...page, classroom, state: () => classroom.store.getState() };
}
type Tab = ReturnType<typeof newTab>;

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(1000 * seconds);
const rowOf = (tab: Tab, name: string) => tab.state().rows.find((row) => row.name === name);
const lastWeights = ({ worker, disk }: Tab) => disk.weights.get(worker.run);

async function newRoom() {
  const host = newTab();
  const creating = host.classroom.create({ name: 'Teacher', ...OUTER });
  await pass(2);
  await creating;
  const pupil = newTab();
  pupil.classroom.join(host.state().code, 'Pupil');
  await pass(2);
  return { host, pupil };
}

async function newRoomByCode() {
  network.isBlocked = true;
  const host = newTab();
  void host.classroom.create({ name: 'Teacher', ...OUTER });
  await pass(2);
  await host.classroom.invite();
  const pupil = newTab();
  await pupil.classroom.joinByCode(host.state().invitation ?? '', 'Pupil');
  await host.classroom.acceptAnswer('the answer');
  await pass(2);
  return { host, pupil };
}

describe('a room', () => {
  it('trains on two pages to its end, and both keep the same weights', async () => {
    const { host, pupil } = await newRoom();
    expect(host.state().link).toBe(`https://192.168.0.7:8443/#together/${host.state().code}`);
    expect(rowOf(host, 'Pupil')?.phase).toBe('ready');
    host.classroom.start();
    await pass(30);
    for (const { state } of [host, pupil]) {
      expect(state()).toMatchObject({ member: 'ended', phase: 'ended', rounds: 8, problem: null });
      expect(state().memory.evaluations.at(-1)?.step).toBe(40);
    }
    expect(lastWeights(host)).toEqual(host.worker.weights);
    expect(lastWeights(pupil)).toEqual(host.worker.weights);
    const kept = host.disk.rooms.get(host.worker.run);
    expect(kept && readRoom(kept)).toMatchObject({ state: { round: 8 } });
    // The shards pull to 1 and to 2.
    expect(host.worker.weights[0]).toBeCloseTo(1.5, 0);
  });
  it('survives the page of its host, and a member whose connection is lost', async () => {
    const { host, pupil } = await newRoom();
    host.worker.isSlow = true;
    pupil.worker.isSlow = true;
    host.classroom.start();
    await pass(2);
    // The page is gone with all that it had not kept.
    host.client.stop();
    network.rooms.clear();
    for (const channel of network.channels) channel.close();
    await pass(2);
    expect(pupil.state().member).toBe('lost');
    pupil.worker.isSlow = false;
    const again = newTab(host.disk);
    expect(again.state().left?.code).toBe(host.state().code);
    void again.classroom.reopen('Teacher');
    await pass(12);
    expect(again.state().code).toBe(host.state().code);
    again.classroom.start();
    await pass(40);
    expect([again.state().member, pupil.state().member]).toEqual(['ended', 'ended']);
    expect(lastWeights(again)).toEqual(again.worker.weights);
    expect(lastWeights(pupil)).toEqual(again.worker.weights);
  });
  it('lets a member in by a code and its answer, each shown until the other page has it', async () => {
    network.isBlocked = true;
    const host = newTab();
    void host.classroom.create({ name: 'Teacher', ...OUTER });
    await pass(2);
    await host.classroom.invite();
    const { invitation, code } = host.state();
    expect(invitation).toBe(`code of ${code}`);
    const pupil = newTab();
    await pupil.classroom.joinByCode(invitation ?? '', 'Pupil');
    expect(pupil.state()).toMatchObject({ code, answer: 'the answer', member: 'connecting' });
    await host.classroom.acceptAnswer('another answer');
    await pass(3);
    const invitationProblem = { message: 'No such room.' };
    expect(host.state()).toMatchObject({ invitation, invitationProblem, problem: null });
    await host.classroom.acceptAnswer('the answer');
    expect(host.state()).toMatchObject({ invitation: null, invitationProblem: null });
    await pass(2);
    expect(rowOf(host, 'Pupil')?.phase).toBe('ready');
    expect(pupil.state().member).toBe('waiting');
  });
  it('asks for another code when a connection by code is lost, and goes on with it', async () => {
    const { host, pupil } = await newRoomByCode();
    pupil.worker.isSlow = true;
    host.classroom.start();
    await pass(2);
    network.channels.at(-1)?.close();
    await pass(3);
    expect(pupil.state()).toMatchObject({ member: 'lost', needsCode: true, answer: null });
    expect(pupil.state().problem?.hint).toContain('new code');
    await pass(30);
    pupil.worker.isSlow = false;
    await host.classroom.invite();
    await pupil.classroom.rejoinByCode('code of ZZZZZZ');
    expect(pupil.state().invitationProblem?.message).toBe('This code belongs to another room.');
    expect(network.givenUp).toEqual(['ZZZZZZ']);
    await pupil.classroom.rejoinByCode(host.state().invitation ?? '');
    expect(pupil.state()).toMatchObject({ needsCode: false, answer: 'the answer' });
    await host.classroom.acceptAnswer('the answer');
    await pass(40);
    expect([host.state().member, pupil.state().member]).toEqual(['ended', 'ended']);
    expect(pupil.worker.sentOf('start')).toHaveLength(1);
    expect(lastWeights(pupil)).toEqual(host.worker.weights);
  });
  it('says while it is not reached by a code, until it has another one or has left', async () => {
    network.isBlocked = true;
    const pupil = newTab();
    await pupil.classroom.joinByCode('code of ABCDEF', 'Pupil');
    network.reached.at(-1)?.(false);
    expect(pupil.state().reached).toBe(false);
    await pupil.classroom.rejoinByCode('another code of ABCDEF');
    expect(network.givenUp).toEqual(['ABCDEF']);
    expect(pupil.state().reached).toBe(true);
    await pupil.classroom.leave();
    expect(network.givenUp).toEqual(['ABCDEF', 'ABCDEF']);
    network.reached.at(-1)?.(false);
    expect(pupil.state().reached).toBe(true);
  });
  it('keeps a connection by code for a minute in which the host sleeps', async () => {
    const { pupil } = await newRoomByCode();
    network.links.at(-1)?.freeze();
    await pass(50);
    expect(pupil.state()).toMatchObject({ member: 'waiting', needsCode: false });
    await pass(20);
    expect(pupil.state()).toMatchObject({ member: 'lost', needsCode: true });
  });
  it('gives up a code whose connection fails, says why, and makes another one', async () => {
    const { host } = await newRoomByCode();
    await host.classroom.invite();
    await host.classroom.acceptAnswer('the answer of another network');
    expect(host.state()).toMatchObject({
      invitation: null,
      invitationProblem: { message: 'Not reached.' },
    });
    expect(network.withdrawn).toBe(1);
    await host.classroom.invite();
    expect(host.state()).toMatchObject({ invitationProblem: null });
    expect(host.state().invitation).toContain(host.state().code);
  });
  it('lets nobody in by a code whose answer is accepted as the host leaves', async () => {
    const { host } = await newRoomByCode();
    await host.classroom.invite();
    const tab = newTab();
    await tab.classroom.joinByCode(host.state().invitation ?? '', 'Late');
    const accepting = host.classroom.acceptAnswer('the answer');
    await host.classroom.leave();
    await accepting;
    await pass(3);
    expect(tab.state()).toMatchObject({ member: 'connecting', needsCode: true, rows: [] });
  });
  it('gives the run back to a page that leaves, and closes with its host', async () => {
    const { host, pupil } = await newRoom();
    await pupil.classroom.leave();
    expect(pupil.state()).toMatchObject({ role: 'none', member: null });
    expect(pupil.worker.sentOf('end_rounds').at(-1)).toMatchObject({ hold: false });
    await pass(1);
    expect(rowOf(host, 'Pupil')?.phase).toBe('away');
    await host.classroom.leave();
    expect(host.state()).toMatchObject({ role: 'none', left: null });
    expect(network.rooms.size).toBe(0);
  });
});

describe('a sentence', () => {
  it('says that there is no such room, and is gone when there is one', async () => {
    const { host } = await newRoom();
    const { code } = host.state();
    const open = network.rooms.get(code);
    network.rooms.clear();
    const tab = newTab();
    tab.classroom.join(code, 'Late');
    await pass(1);
    expect(tab.state()).toMatchObject({
      member: 'connecting',
      problem: { message: 'No such room.', hint: 'Check the letters.' },
    });
    if (open) network.rooms.set(code, open);
    await pass(3);
    expect(tab.state()).toMatchObject({ member: 'waiting', problem: null });
  });
  it('says beside the code why there is none', async () => {
    const { host } = await newRoom();
    network.hasAddress = false;
    await host.classroom.invite();
    const invitationProblem = { message: 'No address.', hint: 'Connect to a Wi-Fi.' };
    expect(host.state()).toMatchObject({ invitation: null, invitationProblem });
  });
  it('says that the page has no rooms, where the host invites; codes still work there', async () => {
    network.isBlocked = true;
    const host = newTab();
    void host.classroom.create({ name: 'Teacher', ...OUTER });
    await pass(2);
    expect(host.state()).toMatchObject({
      role: 'host',
      link: '',
      problem: null,
      signals: { message: 'No rooms.' },
    });
  });
  it('says that the letters are taken, and opens the room once they are free', async () => {
    network.isTaken = true;
    const host = newTab();
    void host.classroom.create({ name: 'Teacher', ...OUTER });
    await pass(2);
    expect(host.state()).toMatchObject({ link: '', signals: { message: 'Taken.' } });
    network.isTaken = false;
    await pass(3);
    expect(host.state().signals).toBeNull();
    expect(host.state().link).toContain(host.state().code);
  });
  it('says that two pages are of different versions, and does not try again', async () => {
    const { host } = await newRoom();
    const older = newTab(newDisk(), 'index-0.js');
    older.classroom.join(host.state().code, 'Older');
    await pass(30);
    expect(older.state().member).toBe('refused');
    expect(older.state().problem?.message).toMatch(/different versions/u);
    expect(older.worker.sentOf('start')).toEqual([]);
    expect(rowOf(host, 'Older')).toBeUndefined();
  });
  it('says why a room could not be created, and leaves the entrance', async () => {
    const tab = newTab();
    tab.worker.refusal = 'The text is empty.';
    const creating = tab.classroom.create({ name: 'Teacher', ...OUTER });
    await pass(1);
    await creating;
    expect(tab.state()).toMatchObject({ role: 'none', opening: false });
    expect(tab.state().problem?.message).toContain('The text is empty.');
  });
});
