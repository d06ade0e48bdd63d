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
  opened.catch(() => undefined);
  await connection.setLocalDescription(await connection.createOffer());
  return {
    code: writeCode({ kind: 'offer', room, sdp: await gathered(connection) }),
    accept: async (answer) => {
      const { sdp, room: of } = readCode(answer, 'answer');
      if (of !== room) throw badCode('This answer belongs to another room.');
      await describe(connection, { type: 'answer', sdp });
      return opened;
    },
    close: () => connection.close(),
  };
}

/** The member's half: the answer to take back, and the channel once the host has it. */
export async function answer(
  offer: string,
): Promise<{ room: string; code: string; channel: Promise<PoolChannel> }> {
  const { sdp, room } = readCode(offer, 'offer');
  const connection = new RTCPeerConnection(RTC_CONFIG);
  const channel = new Promise<RTCDataChannel>((resolve) => {
    connection.addEventListener('datachannel', (event) => resolve(event.channel));
  }).then((dataChannel) => whenOpen(dataChannel, connection));
  channel.catch(() => undefined);
  await describe(connection, { type: 'offer', sdp });
  await connection.setLocalDescription(await connection.createAnswer());
  return {
    room,
    code: writeCode({ kind: 'answer', room, sdp: await gathered(connection) }),
    channel,
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
  return new Promise((resolve, reject) => {
    const use = (): void => resolve(overDataChannel(dataChannel, () => connection.close()));
    if (dataChannel.readyState === 'open') use();
    else dataChannel.addEventListener('open', use);
    connection.addEventListener('connectionstatechange', () => {
      if (connection.connectionState !== 'failed') return;
      dataChannel.close();
      reject(
        new PoolError(
          'blocked',
          'The two laptops cannot reach each other.',
          'The Wi-Fi may isolate its clients: use another network or a hotspot.',
        ),
      );
    });
  });
}
