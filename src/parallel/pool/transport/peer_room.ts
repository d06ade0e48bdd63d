/**
 * Rooms by six letters: pages find each other through the `peer` server that `npm run room` runs on
 * the origin of the page, and then talk directly. Nothing else is contacted.
 */
import type { DataConnection, Peer, PeerOptions } from 'peerjs';
import { randomId } from '../../../common/index.ts';
import type { PoolChannel } from '../channel.ts';
import { PoolError } from '../error.ts';
import { overDataChannel, RTC_CONFIG } from './data_channel.ts';

/** Path of the signalling server, relative to the page. */
export const SIGNALS = 'signals/';
/** How long a room may take to answer, milliseconds. */
const ANSWER_MS = 12_000;
/** Waits between two attempts to reach the signalling server again, milliseconds. */
const RETRY_MS = 3000;

const peerId = (code: string): string => `terrarium-${code}`;

/** The signalling server of a page, and no other server at all. */
export function peerOptions(page: URL): PeerOptions {
  const { hostname: host, protocol, pathname } = new URL(SIGNALS, page);
  const secure = protocol === 'https:';
  const port = page.port === '' ? standardPort(secure) : Number(page.port);
  return { host, port, path: pathname, secure, config: RTC_CONFIG, debug: 0 };
}

const standardPort = (secure: boolean): number => (secure ? 443 : 80);

const noServer = (): PoolError =>
  new PoolError(
    'offline',
    'The server of this page has no rooms, or does not answer.',
    'Serve the page with npm run room, or connect by codes.',
  );
const noPolicy = (): PoolError =>
  new PoolError(
    'blocked',
    'The Content-Security-Policy of this page keeps it from the server of its rooms.',
    'Let its connect-src include the address of the page with ws: or wss:, or connect by codes.',
  );
const noRoom = (code: string): PoolError =>
  new PoolError(
    'no_room',
    `There is no room ${code} at the moment.`,
    'Check the six letters, and whether the host’s page is open.',
  );
const noAnswer = (): PoolError =>
  new PoolError(
    'blocked',
    'The room exists, but the two laptops cannot reach each other.',
    'The Wi-Fi may isolate its clients: use another network or a hotspot.',
  );
const isTaken = (code: string): PoolError =>
  new PoolError(
    'taken',
    `The room ${code} is open on another page.`,
    'Close it there, or create another room.',
  );

/** A room that is open for members. */
export interface OpenedRoom {
  close(): void;
}

/**
 * Opens a room under its letters, and calls `accept` for everybody who connects. The connection to
 * the signalling server is made again when it is lost; rooms go on without it meanwhile. Rejects with
 * a PoolError.
 */
export async function openRoom(
  code: string,
  page: URL,
  accept: (channel: PoolChannel) => void,
): Promise<OpenedRoom> {
  const peer = await newPeer(peerId(code), page);
  peer.on('connection', (connection) => {
    connection.on('open', () => accept(channelOf(connection)));
  });
  let closed = false;
  peer.on('disconnected', () => {
    const retry = setInterval(() => {
      if (closed || !peer.disconnected || peer.destroyed) clearInterval(retry);
      else peer.reconnect();
    }, RETRY_MS);
  });
  const close = (): void => {
    closed = true;
    peer.destroy();
  };
  try {
    await opened(peer, code);
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}

/** Connects to a room. Rejects with a PoolError if there is none, or if it cannot be reached. */
export async function joinRoom(code: string, page: URL): Promise<PoolChannel> {
  const peer = await newPeer(randomId(), page);
  try {
    await opened(peer, code);
    return await connected(peer, code);
  } catch (error) {
    peer.destroy();
    throw error;
  }
}

async function newPeer(id: string, page: URL): Promise<Peer> {
  const { Peer } = await import('peerjs').catch(() => {
    throw noServer();
  });
  try {
    return new Peer(id, peerOptions(page));
  } catch {
    // Firefox throws if a policy blocks the WebSocket; others report it later (`onForbiddenSocket`).
    throw noPolicy();
  }
}

/** Resolves when the signalling server has accepted the page. */
function opened(peer: Peer, code: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let isForbidden = false;
    const refuse = (): void => {
      end();
      reject(isForbidden ? noPolicy() : noServer());
    };
    const stop = onForbiddenSocket(() => {
      isForbidden = true;
      refuse();
    });
    const timer = setTimeout(refuse, ANSWER_MS);
    const end = (): void => {
      clearTimeout(timer);
      stop();
    };
    peer.on('open', () => {
      end();
      resolve();
    });
    peer.on('error', ({ type }) => {
      if (type !== 'unavailable-id') return refuse();
      end();
      reject(isTaken(code));
    });
  });
}

/** Calls `hear` if a policy of the page blocks a WebSocket. Returns a function that unsubscribes. */
function onForbiddenSocket(hear: () => void): () => void {
  const listener = ({ effectiveDirective, blockedURI }: SecurityPolicyViolationEvent): void => {
    if (effectiveDirective === 'connect-src' && /^wss?\b/u.test(blockedURI)) hear();
  };
  document.addEventListener('securitypolicyviolation', listener);
  return () => document.removeEventListener('securitypolicyviolation', listener);
}

function connected(peer: Peer, code: string): Promise<PoolChannel> {
  return new Promise((resolve, reject) => {
    const connection = peer.connect(peerId(code), { reliable: true, serialization: 'raw' });
    const timer = setTimeout(() => reject(noAnswer()), ANSWER_MS);
    peer.on('error', ({ type }) => {
      clearTimeout(timer);
      reject(type === 'peer-unavailable' ? noRoom(code) : noAnswer());
    });
    connection.on('open', () => {
      clearTimeout(timer);
      // The signalling server is not needed any more.
      peer.disconnect();
      resolve(channelOf(connection, () => peer.destroy()));
    });
  });
}

function channelOf(connection: DataConnection, dispose = (): void => undefined): PoolChannel {
  const channel = overDataChannel(connection.dataChannel, () => {
    connection.close();
    dispose();
  });
  // The other page is gone, which the data channel itself notices late.
  connection.on('close', () => channel.close());
  connection.on('error', () => channel.close());
  return channel;
}
