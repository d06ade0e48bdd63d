/** Messages of faulty and malicious peers: each ends in a refusal, and changes no weights. */
import { describe, expect, it } from 'vitest';
import { memoryChannels, type PoolChannel } from './channel.ts';
import { hashOf } from './diloco.ts';
import { PoolError } from './error.ts';
import { FrameReader, framesOf, FRAME_BYTES } from './frames.ts';
import { bytesOf, decodeMessage, encodeMessage, longestOfMember } from './messages.ts';
import type { Message } from './schema.ts';
import { BUILD, planOf, ROOM, settle, TestRoom } from './testing_room.ts';

const N = 20;
const MUTATIONS = 10_000;
const hash = '0123456789abcdef';
const token = 'f'.repeat(32);
const shard = { index: 0, count: 1 };

const VALID: readonly Message[] = [
  { type: 'hello', room: ROOM, token, name: 'Stranger', build: BUILD, round: null, hash: null },
  { type: 'ready', n_params: N },
  { type: 'need_state' },
  { type: 'progress', round: 0, done: 3 },
  { type: 'contribution', round: 0, steps: 8, tokens: 9, seconds: 1, loss: 2, exponent: -20 },
  { type: 'evaluation', round: 0, val_loss: 1 },
  { type: 'update', round: 0, exponent: -20, hash },
  { type: 'state', round: 0, hash },
  { type: 'round', round: 0, step: 0, steps: 8, shard },
  { type: 'roster', members: [], records: [], evaluations: [], phase: 'open' },
  { type: 'pause', paused: true },
  { type: 'end', round: 3 },
  { type: 'alive' },
  { type: 'leave' },
];

let seed = 7;
const random = (most: number): number => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * most);
};
const pick = <T>(values: readonly T[]): T => values[random(values.length)]!;

/** One to three bytes changed, bytes cut off or added, or two messages mixed. */
function damagedBytes(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  switch (random(4)) {
    case 0:
      return copy.slice(0, random(copy.length));
    case 1:
      return Uint8Array.from([...copy, random(256)]);
    case 2: {
      const other = encodeMessage(pick(VALID), new Uint8Array(2 * N));
      return Uint8Array.from([...copy.slice(0, 1 + random(copy.length - 1)), ...other]);
    }
    default:
      // Different places, so that no change takes another one back.
      for (let at = random(copy.length); at < copy.length; at += 1 + random(copy.length)) {
        copy[at] = (copy[at] ?? 0) ^ (1 + random(255));
      }
      return copy;
  }
}

const ODD: readonly unknown[] = [
  ...[null, -1, 0.5, 1e300, 2 ** 53, '', 'x'.repeat(500), [], {}, true, '__proto__', [[[]]]],
  ...['hello', 'update', { type: 'end' }, '\u0000', '../..'],
];

/** A message whose checksum is right: a field is missing, odd, or not known. */
function damagedFields(message: Message): Uint8Array {
  const fields: Record<string, unknown> = { ...message };
  const key = pick(Object.keys(fields));
  if (random(3) === 0) delete fields[key];
  else fields[random(4) === 0 ? 'unknown' : key] = pick(ODD);
  const payload = bytesOf(Uint16Array.from({ length: random(2 * N) }, () => random(65_536)));
  const written = encodeMessage({ type: 'alive' }, payload);
  const json = JSON.stringify(fields);
  // Written as `encodeMessage` does, for a message that TypeScript would not accept.
  return encodeMessage(JSON.parse(json) as Message, written.slice(random(written.length)));
}

describe('10,000 mutations of valid messages', () => {
  it('are refused by the reader, with a sentence', () => {
    for (let i = 0; i < MUTATIONS; i++) {
      const bytes = damagedBytes(encodeMessage(pick(VALID), new Uint8Array(2 * N)));
      expect(() => decodeMessage(bytes)).toThrow(PoolError);
    }
  });

  it('neither end a room nor change its weights beyond what members may contribute', async () => {
    const room = new TestRoom({ plan: planOf(N), parameters: new Float32Array(N) });
    room.add();
    room.add();
    await room.run(2);
    const before = hashOf(room.optimizer.state.parameters);
    let channel = stranger(room);
    for (let i = 0; i < MUTATIONS; i++) {
      // A connection that was closed for its faults is opened again.
      if (i % 50 === 0) channel = stranger(room);
      const message = pick(VALID);
      channel.send(random(2) === 0 ? damagedFields(message) : damagedBytes(encodeMessage(message)));
      if (i % 200 === 0) await settle();
    }
    await settle();
    expect(hashOf(room.optimizer.state.parameters)).toBe(before);
    room.host.start();
    await room.run(60, () => room.guests.every(({ member }) => member.isOver));
    expect(room.host.round).toBe(10);
    const bits = room.guests.map(({ member }) => member.replica.hash);
    expect(new Set([...bits, hashOf(room.optimizer.state.parameters)]).size).toBe(1);
    expect(room.optimizer.state.parameters.every((value) => Math.abs(value) < 5)).toBe(true);
  });

  it('leave a member with its weights, whatever a host sends', async () => {
    const room = new TestRoom({ plan: planOf(N), parameters: new Float32Array(N) });
    const guest = room.add();
    await room.run(2);
    const host = guest.link?.ends[1];
    const before = guest.member.replica.hash;
    for (let i = 0; i < MUTATIONS; i++) {
      const message = pick(VALID);
      if (message.type === 'end' || message.type === 'hello') continue;
      host?.send(random(2) === 0 ? damagedFields(message) : damagedBytes(encodeMessage(message)));
      if (i % 200 === 0) await settle();
    }
    await settle();
    const { parameters } = guest.member.replica;
    expect(parameters?.every(Number.isFinite)).toBe(true);
    expect(guest.member.replica.hash).toBe(before);
  });
});

/** Somebody who has joined, and whose messages go to the host. */
function stranger(room: TestRoom): PoolChannel {
  const [here, there] = memoryChannels();
  room.host.accept(there);
  const name = 'Stranger';
  here.onMessage(() => undefined);
  here.send(
    encodeMessage({
      type: 'hello',
      room: ROOM,
      token,
      name,
      build: BUILD,
      round: null,
      hash: null,
    }),
  );
  return here;
}

it.each([
  [longestOfMember(N), false],
  [longestOfMember(N) + 1, true],
])('a message of %i bytes closes the connection unread: %s', async (length, closes) => {
  const room = new TestRoom({ plan: planOf(N), parameters: new Float32Array(N) });
  const channel = stranger(room);
  let isClosed = false;
  channel.onClose(() => {
    isClosed = true;
  });
  channel.send(new Uint8Array(length));
  await settle();
  expect(isClosed).toBe(closes);
  expect(room.host.members[0]).toMatchObject({ refused: closes ? 0 : 1 });
});

describe('frames', () => {
  it('put messages of any length together again', () => {
    const reader = new FrameReader();
    for (const length of [0, 1, FRAME_BYTES - 4, FRAME_BYTES - 3, 2 * FRAME_BYTES + 5]) {
      const message = Uint8Array.from({ length }, (_, i) => i % 251);
      const frames = [...framesOf(message)];
      expect(frames.every((frame) => frame.length <= FRAME_BYTES)).toBe(true);
      const read = frames.map((frame) => reader.take(frame));
      expect(Buffer.compare(read.at(-1) ?? new Uint8Array(1), message)).toBe(0);
      expect(read.slice(0, -1).every((part) => part === null)).toBe(true);
    }
  });
  it('refuse a length that the peer may not send', () => {
    const reader = new FrameReader();
    reader.longest = 1000;
    expect(() => reader.take(Uint8Array.of(255, 255, 255, 255))).toThrow(PoolError);
  });
});
