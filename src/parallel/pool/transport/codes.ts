/**
 * Connections without any server: the host's page makes a code, which is taken to the other laptop
 * (copied, mailed, or as a QR code), whose page makes an answer, which is taken back. A code is the
 * session description of WebRTC, compressed; it contains the addresses of the laptop in its network.
 */
import { deflateSync, inflateSync, strFromU8, strToU8 } from 'fflate';
import * as v from 'valibot';
import type { PoolChannel } from '../channel.ts';
import { PoolError } from '../error.ts';
import { overDataChannel, RTC_CONFIG } from './data_channel.ts';

/** How long a page collects its addresses, milliseconds. */
const GATHER_MS = 3000;
/** How long the pages may take to connect once both have what they need, milliseconds. */
const CONNECT_MS = 60_000;
/** A connection that has failed recovers if a page only slept, but not after so long, milliseconds. */
const RECOVER_MS = 30_000;
/** Longest code that is read, characters. */
const LONGEST_CODE = 20_000;
/** Longest description that is read, bytes. */
const LONGEST_TEXT = 200_000;

const CodeSchema = v.strictObject({
  kind: v.picklist(['offer', 'answer']),
  room: v.pipe(v.string(), v.regex(/^[A-HJ-NP-Z]{6}$/u)),
  sdp: v.pipe(v.string(), v.maxLength(LONGEST_TEXT)),
});
export type Code = v.InferOutput<typeof CodeSchema>;

const badCode = (hint: string): PoolError =>
  new PoolError('bad_code', 'This is not a code of a room, or a part of it is missing.', hint);

export function writeCode(code: Code): string {
  const bytes = deflateSync(strToU8(JSON.stringify(code)), { level: 9 });
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

const noAddress = (): PoolError =>
  new PoolError(
    'blocked',
    'The browser names no address of this laptop by which another one could reach it.',
    'Connect the laptop to a Wi-Fi or a router, and make another code.',
  );

const noWay = (): PoolError =>
  new PoolError(
    'blocked',
    'The two laptops cannot reach each other.',
    'The Wi-Fi may isolate its clients: use another network or a hotspot, and make another code.',
  );

/** Reads a code that somebody typed or pasted. Throws PoolError, and nothing else. */
export function readCode(text: string, kind: Code['kind']): Code {
  const code = text.replace(/\s+/gu, '');
  if (code.length > LONGEST_CODE) throw badCode('Copy the whole code, and nothing else.');
  let value: unknown;
  try {
    const bytes = Uint8Array.from(atob(code.replaceAll('-', '+').replaceAll('_', '/')), (c) =>
      c.charCodeAt(0),
    );
    const inflated = inflateSync(bytes, { out: new Uint8Array(LONGEST_TEXT) });
    value = JSON.parse(strFromU8(inflated));
  } catch {
    throw badCode('Copy the whole code, and nothing else.');
  }
  const parsed = v.safeParse(CodeSchema, value);
  if (!parsed.success) throw badCode('Copy the whole code, and nothing else.');
  if (parsed.output.kind !== kind) {
    throw badCode(
      kind === 'offer' ? 'Paste the code of the host here.' : 'Paste the member’s answer here.',
    );
  }
  return parsed.output;
}

/** A connection that waits for the other page's answer. */
export interface Invitation {
  code: string;
  /** Connects to the page that made the answer. Rejects with a PoolError. */
  accept(answer: string): Promise<PoolChannel>;
  close(): void;
}

/** The host's half. */
export async function invite(room: string): Promise<Invitation> {
  const connection = new RTCPeerConnection(RTC_CONFIG);
  const dataChannel = connection.createDataChannel('room');
  const opened = whenOpen(dataChannel, connection);
  await connection.setLocalDescription(await connection.createOffer());
  return {
    code: writeCode({ kind: 'offer', room, sdp: await gathered(connection) }),
    accept: async (answer) => {
      const { sdp, room: of } = readCode(answer, 'answer');
      if (of !== room) throw badCode('This answer belongs to another room.');
      await describe(connection, { type: 'answer', sdp });
      return Promise.race([opened, whenFailed(connection)]);
    },
    close: () => connection.close(),
  };
}

/** What a member has made of the host's code. */
export interface Answered {
  room: string;
  /** The answer to take back. */
  code: string;
  /** Resolves once the host has the answer, which may take as long as people do. */
  channel: Promise<PoolChannel>;
  close(): void;
}

/**
 * The member's half. `reached` is told whether the other page can be reached: a browser gives up after
 * some seconds, and connects nevertheless if the host takes the answer later.
 */
export async function answer(
  offer: string,
  reached: (isReached: boolean) => void = () => undefined,
): Promise<Answered> {
  const { sdp, room } = readCode(offer, 'offer');
  const connection = new RTCPeerConnection(RTC_CONFIG);
  connection.addEventListener('connectionstatechange', () =>
    reached(connection.connectionState !== 'failed'),
  );
  const channel = new Promise<RTCDataChannel>((resolve) => {
    connection.addEventListener('datachannel', (event) => resolve(event.channel));
  }).then((dataChannel) => whenOpen(dataChannel, connection));
  await describe(connection, { type: 'offer', sdp });
  await connection.setLocalDescription(await connection.createAnswer());
  return {
    room,
    code: writeCode({ kind: 'answer', room, sdp: await gathered(connection) }),
    channel,
    close: () => connection.close(),
  };
}

async function describe(
  connection: RTCPeerConnection,
  description: RTCSessionDescriptionInit,
): Promise<void> {
  try {
    await connection.setRemoteDescription(description);
  } catch {
    throw badCode('Make a new code, and use each code once.');
  }
}

/** The description with all addresses of this laptop. Rejects with a PoolError if there is none. */
function gathered(connection: RTCPeerConnection): Promise<string> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      const sdp = connection.localDescription?.sdp ?? '';
      if (sdp.includes('a=candidate:')) resolve(sdp);
      else reject(noAddress());
    };
    if (connection.iceGatheringState === 'complete') done();
    connection.addEventListener('icegatheringstatechange', () => {
      if (connection.iceGatheringState === 'complete') done();
    });
    setTimeout(done, GATHER_MS);
  });
}

function whenOpen(
  dataChannel: RTCDataChannel,
  connection: RTCPeerConnection,
): Promise<PoolChannel> {
  return new Promise((resolve) => {
    const use = (): void => {
      const channel = overDataChannel(dataChannel, () => connection.close());
      closeIfLost(channel, connection);
      resolve(channel);
    };
    if (dataChannel.readyState === 'open') use();
    else dataChannel.addEventListener('open', use);
  });
}

/**
 * A browser calls a connection failed after 15 seconds without an answer, as when the other laptop
 * sleeps. It connects again by itself if the laptop wakes soon; a code could not be used again.
 */
function closeIfLost(channel: PoolChannel, connection: RTCPeerConnection): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  connection.addEventListener('connectionstatechange', () => {
    clearTimeout(timer);
    if (connection.connectionState !== 'failed') return;
    timer = setTimeout(() => channel.close(), RECOVER_MS);
  });
}

/** Rejects if the pages, which have what they need, do not connect. */
function whenFailed(connection: RTCPeerConnection): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(noWay());
    setTimeout(fail, CONNECT_MS);
    connection.addEventListener('connectionstatechange', () => {
      if (connection.connectionState === 'failed') fail();
    });
  });
}
