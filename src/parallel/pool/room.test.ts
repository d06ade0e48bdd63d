import { describe, expect, it } from 'vitest';
import { hashOf, OuterOptimizer } from './diloco.ts';
import { decodeMessage, encodeMessage, HEADER_BYTES } from './messages.ts';
import { roundBytes } from './rounds.ts';
import { REMEMBERED_ROUNDS } from './screening.ts';
import { planOf, TestRoom, ToyTrainer } from './testing_room.ts';

const N = 50;
const roomOf = (members: number, changes = {}): TestRoom => {
  const room = new TestRoom({ plan: planOf(N, changes), parameters: new Float32Array(N) });
  for (let i = 0; i < members; i++) room.add();
  return room;
};
const bitsOf = (room: TestRoom) => room.guests.map(({ member }) => member.replica.hash);
const rowOf = (room: TestRoom, member: number) =>
  room.host.members.find((row) => row.member === member)!;
const toyOf = (room: TestRoom, member: number): ToyTrainer => {
  const trainer = room.guests[member - 1]?.trainer;
  if (!(trainer instanceof ToyTrainer)) throw new Error('This member has another trainer.');
  return trainer;
};
const started = async (room: TestRoom): Promise<void> => {
  await room.run(2);
  room.host.start();
};
const ended = (room: TestRoom) => () =>
  room.host.phase === 'ended' && room.guests.every(({ member }) => member.isOver);

describe('a room', () => {
  it('trains to its end, and everybody keeps the same bits', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(60, ended(room));
    expect(room.host.round).toBe(10);
    expect(new Set([...bitsOf(room), hashOf(room.optimizer.state.parameters)]).size).toBe(1);
    expect(room.guests.map((_, i) => toyOf(room, i + 1).finished)).toEqual(
      room.guests.map(() => room.optimizer.state.parameters),
    );
    // The optimum of the three shards together is their mean, 2 cos(i).
    expect(room.optimizer.state.parameters[0]).toBeGreaterThan(1.2);
    expect(room.host.members.map(({ contributed }) => contributed)).toEqual([10, 10, 10]);
  });
  it('exchanges as many bytes a round as the formula says', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(60, ended(room));
    const payloads = (messages: Uint8Array[], type: string): number[] =>
      messages
        .map((bytes) => decodeMessage(bytes))
        .filter(({ message }) => message.type === type)
        .map(({ payload }) => payload.length);
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    const expected = roundBytes(N, { from: 3, to: 3 });
    const rounds = room.host.round;
    expect(sum(payloads(room.traffic.toHost, 'contribution'))).toBe(rounds * expected.received);
    expect(sum(payloads(room.traffic.toMembers, 'update'))).toBe(rounds * expected.sent);
    for (const { bytes } of room.host.memory.records) {
      expect(bytes).toBe(expected.received + expected.sent);
    }
    const headers = room.traffic.toHost
      .filter((bytes) => decodeMessage(bytes).message.type === 'contribution')
      .map((bytes) => bytes.length - 2 * N);
    expect(Math.max(...headers)).toBeLessThan(HEADER_BYTES + 200);
  });
  it('gives a late joiner the bits of the others, momentum included', async () => {
    const room = roomOf(2);
    await started(room);
    await room.run(20, () => room.host.round >= 4);
    room.add();
    await room.run(60, ended(room));
    expect(new Set(bitsOf(room)).size).toBe(1);
    expect(room.guests[2]?.member.replica.momentum).toEqual(room.optimizer.state.momentum);
    expect(rowOf(room, 3).contributed).toBeGreaterThan(0);
  });
  it('evaluates the global parameters on the page of the host only', async () => {
    const room = roomOf(2);
    await started(room);
    await room.run(60, ended(room));
    const { evaluations } = room.host.memory;
    expect(evaluations.map(({ round }) => round)).toEqual(Array.from({ length: 11 }, (_, i) => i));
    expect(evaluations.at(-1)?.step).toBe(80);
    await room.run(2);
    expect(room.guests[1]?.member.memory).toEqual(room.host.memory);
  });
});

describe('members that fail', () => {
  it('are left out while they sleep, and catch up with the same bits', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    room.guests[1]?.link?.freeze();
    await room.run(30, () => room.host.round >= 6);
    expect(rowOf(room, 2).phase).toBe('silent');
    room.guests[1]?.link?.thaw();
    await room.run(60, ended(room));
    expect(new Set(bitsOf(room)).size).toBe(1);
  });
  it('train again if the room went on from a pause while they were away', async () => {
    const room = roomOf(2);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    room.host.pause();
    await room.run(2);
    const { member, trainer } = room.guests[1]!;
    const paused: boolean[] = [];
    trainer.setPaused = (value) => paused.push(value);
    room.guests[1]?.link?.ends[0].close();
    room.host.start();
    await room.run(60, () => member.state === 'training');
    expect(member.state).toBe('training');
    expect(paused.at(-1)).toBe(false);
  });
  it('are asked again for their messages if it was the page of the host that slept', async () => {
    const room = roomOf(2);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    room.now += 60_000;
    room.host.tick();
    expect(room.host.members.map(({ phase }) => phase)).not.toContain('silent');
    for (const { member } of room.guests) member.tick();
    await room.run(60, ended(room));
    expect(room.host.members.map(({ contributed }) => contributed)).toEqual([10, 10]);
  });
  it('keep a connection over which the host is heard again after their page slept', async () => {
    const room = roomOf(2);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    const { link, member } = room.guests[1]!;
    link?.freeze();
    room.now += 60_000;
    member.tick();
    link?.thaw();
    await room.run(60, ended(room));
    expect(room.guests[1]?.link).toBe(link);
    expect(member.state).toBe('ended');
  });
  it('may be killed, frozen and disconnected at random, and the room ends', async () => {
    const room = roomOf(4, { steps: 400 });
    await started(room);
    for (let accident = 0; accident < 20; accident++) {
      await room.run(1 + room.random(3));
      const guest = room.guests[room.random(4)]!;
      const kind = room.random(3);
      if (kind === 0) guest.link?.ends[0].close();
      else if (kind === 1) guest.link?.freeze();
      else guest.link?.ends[1].close();
      await room.run(room.random(12));
      for (const { link } of room.guests) link?.thaw();
    }
    await room.run(300, ended(room));
    expect(room.host.phase).toBe('ended');
    expect(new Set([...bitsOf(room), hashOf(room.optimizer.state.parameters)]).size).toBe(1);
    expect(Math.abs((room.optimizer.state.parameters[0] ?? 0) - 2.5)).toBeLessThan(0.5);
  });
  it('are not waited for if they are much slower, and take fewer steps then', async () => {
    const room = roomOf(2);
    toyOf(room, 2).slow = true;
    await started(room);
    await room.run(20, () => room.host.round >= 1);
    expect(room.host.memory.records[0]?.contributors).toBe(1);
    expect(rowOf(room, 2)).toMatchObject({ late: 1, steps: 4 });
    toyOf(room, 2).slow = false;
    await room.run(60, ended(room));
    expect(rowOf(room, 2).steps).toBe(8);
    expect(new Set(bitsOf(room)).size).toBe(1);
  });
  it.each([
    ['values that are not numbers', 'not numbers', (p: Float32Array) => p.fill(NaN, 0, 1)],
    ['far too large', 'as large as is usual', (p: Float32Array) => p.map((v) => v * 1e4 + 1e3)],
  ])('that deliver %s are refused and shown', async (_name, why, spoil) => {
    const room = roomOf(4);
    toyOf(room, 3).spoil = (result) => ({ ...result, parameters: spoil(result.parameters) });
    await started(room);
    await room.run(60, ended(room));
    expect(rowOf(room, 3).refused).toBeGreaterThan(5);
    expect(rowOf(room, 3).refused_why).toContain(why);
    expect(rowOf(room, 3).contributed).toBe(0);
    expect(new Set(bitsOf(room)).size).toBe(1);
    expect(room.optimizer.state.parameters.every((value) => Math.abs(value) < 10)).toBe(true);
  });
});

/** From now on all members deliver their differences from the global parameters times `factor`. */
function scaleAll(room: TestRoom, factor: number): void {
  room.guests.forEach((_, member) => {
    toyOf(room, member + 1).spoil = (result) => {
      const start = room.optimizer.state.parameters;
      const parameters = result.parameters.map((value, i) => {
        const from = start[i] ?? 0;
        return from + factor * (value - from);
      });
      return { ...result, parameters };
    };
  });
}

it.each([1, 2, 5])(
  'goes on after what all of %i members learn has grown at once',
  async (members) => {
    const room = roomOf(members);
    scaleAll(room, 0.02);
    await started(room);
    await room.run(30, () => room.host.round >= 5);
    scaleAll(room, 1);
    await room.run(60, ended(room));
    expect(room.host.round).toBe(10);
    expect(new Set([...bitsOf(room), hashOf(room.optimizer.state.parameters)]).size).toBe(1);
    expect(room.host.members.some(({ refused }) => refused > 0)).toBe(true);
    for (const row of room.host.members) {
      expect(row.refused).toBeLessThanOrEqual(REMEMBERED_ROUNDS);
      expect(row).toMatchObject({ refused_in_a_row: 0 });
    }
  },
);

it('does not take a difference for usual because its member says that it took many steps', async () => {
  const room = roomOf(3);
  scaleAll(room, 1);
  const { spoil } = toyOf(room, 3);
  toyOf(room, 3).spoil = (result) => ({
    ...spoil({ ...result, parameters: result.parameters.map((value) => value + 100) }),
    steps: 1_000_000,
  });
  await started(room);
  await room.run(60, ended(room));
  expect(rowOf(room, 3)).toMatchObject({ contributed: 0, refused: 10, refused_in_a_row: 10 });
  expect(rowOf(room, 3).done).toBeLessThanOrEqual(8);
});

it('refuses nothing of a round that it gave up while all members slept', async () => {
  const room = roomOf(3);
  await started(room);
  await room.run(20, () => room.host.round >= 2);
  for (const { link } of room.guests) link?.freeze();
  await room.run(15);
  expect(room.host.members.map(({ phase }) => phase)).toEqual(['silent', 'silent', 'silent']);
  for (const { link } of room.guests) link?.thaw();
  await room.run(60, ended(room));
  expect(room.host.round).toBe(10);
  expect(room.host.members.map(({ refused }) => refused)).toEqual([0, 0, 0]);
});

it('ends although the run of a member has no steps left', async () => {
  const room = roomOf(2);
  toyOf(room, 2).spoil = (result) => ({ ...result, steps: 0, loss: NaN });
  await started(room);
  await room.run(60, ended(room));
  expect(room.host.round).toBe(10);
  expect(room.host.memory.records.every(({ train_loss }) => train_loss < 10)).toBe(true);
});

describe('the host', () => {
  const loseAll = (room: TestRoom): void => {
    room.isReachable = false;
    for (const { link } of room.guests.slice(1)) link?.ends[0].close();
  };
  it('waits for the others if all lose the connection at once', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    loseAll(room);
    await room.run(15);
    expect(room.host.round).toBeLessThanOrEqual(3);
    room.isReachable = true;
    await room.run(60, ended(room));
    expect(room.host.members.every(({ contributed }) => contributed >= 7)).toBe(true);
  });
  it('goes on alone if nobody comes back within 20 seconds, or all have left', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    loseAll(room);
    await room.run(40);
    expect(room.host.round).toBe(10);
    const left = roomOf(2);
    await started(left);
    await left.run(20, () => left.host.round >= 2);
    left.guests[1]?.member.leave();
    await left.run(12, ended(left));
    expect(left.host.round).toBe(10);
  });
  it('pauses everybody, and goes on', async () => {
    const room = roomOf(2);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    room.host.pause();
    const { round } = room.host;
    await room.run(20);
    expect(room.host.round).toBe(round);
    expect(room.guests.map(({ member }) => member.state)).toEqual(['paused', 'paused']);
    room.host.start();
    await room.run(60, ended(room));
    expect(room.host.round).toBe(10);
  });
  it('removes a member, which cannot come back', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(20, () => room.host.round >= 2);
    room.host.remove(2);
    await room.run(60, ended(room));
    expect(room.guests[1]?.member).toMatchObject({
      state: 'refused',
      problem: { code: 'removed' },
    });
    expect(rowOf(room, 2).phase).toBe('removed');
    expect(new Set([...bitsOf(room)]).size).toBe(2);
  });
  it('may die and return with what it had saved', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(20, () => room.host.round >= 4);
    const saved = {
      optimizer: new OuterOptimizer(planOf(N), structuredClone(room.optimizer.state)),
      memory: structuredClone(room.host.memory),
    };
    await room.run(20, () => room.host.round >= 6);
    room.isUp = false;
    for (const { link } of room.guests) link?.ends[1].close();
    await room.run(30);
    expect(room.guests.every(({ member }) => member.state === 'lost')).toBe(true);
    room.isUp = true;
    room.restartHost(saved);
    await room.run(90, ended(room));
    expect(room.host.round).toBe(10);
    expect(new Set([...bitsOf(room), hashOf(room.optimizer.state.parameters)]).size).toBe(1);
  });
  it('waits for those who trained in the room when it returns', async () => {
    const room = roomOf(3);
    await started(room);
    await room.run(20, () => room.host.round >= 4);
    room.isReachable = false;
    room.restartHost({ optimizer: room.optimizer, memory: room.host.memory });
    const { round } = room.host;
    await room.run(15);
    expect(room.host.round).toBe(round);
    room.isReachable = true;
    await room.run(60, ended(room));
    // One of them may come back a round after the others.
    const least = 9 - round;
    expect(room.host.members.every(({ contributed }) => contributed >= least)).toBe(true);
  });
  it('refuses pages of another version in a sentence', async () => {
    const room = roomOf(1);
    const guest = room.add(new ToyTrainer(N), 'older');
    await room.run(3);
    expect(guest.member.state).toBe('refused');
    expect(guest.member.problem?.message).toMatch(/different versions/u);
  });
  it('refuses a model with other parameters', async () => {
    const room = roomOf(1);
    const guest = room.add(new ToyTrainer(N + 1));
    await room.run(3);
    expect(guest.member.problem?.message).toMatch(/other parameters/u);
  });
});

it('reads what it writes', () => {
  const payload = new Uint8Array([1, 2, 3]);
  const message = { type: 'update', round: 3, exponent: -20, hash: '0123456789abcdef' } as const;
  expect(decodeMessage(encodeMessage(message, payload))).toEqual({ message, payload });
});
