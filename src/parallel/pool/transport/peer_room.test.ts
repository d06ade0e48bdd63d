/** What stands between two pages and their room, with a library for signalling in memory. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { joinRoom, openRoom } from './peer_room.ts';

/** What the library does when a page asks for its server, in a later task; and when it is made. */
const library = vi.hoisted(() => ({
  begin: (): void => undefined,
  answer: (_peer: { tell: (event: string, value?: unknown) => void }): void => undefined,
  destroyed: 0,
}));
vi.mock('peerjs', () => {
  class Peer {
    readonly #listeners = new Map<string, ((value: unknown) => void)[]>();
    constructor() {
      library.begin();
      setTimeout(() => library.answer(this));
    }
    on(event: string, listener: (value: unknown) => void): void {
      this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    }
    tell(event: string, value?: unknown): void {
      for (const listener of this.#listeners.get(event) ?? []) listener(value);
    }
    connect() {
      setTimeout(() => this.tell('error', { type: 'peer-unavailable' }));
      return { on: () => undefined };
    }
    destroy(): void {
      library.destroyed++;
    }
  }
  return { Peer };
});

const page = new URL('https://192.168.0.7:8443/');
const open = () => openRoom('ABCDEF', page, () => undefined);
const join = () => joinRoom('ABCDEF', page);

beforeEach(() => {
  vi.stubGlobal('document', new EventTarget());
  library.destroyed = 0;
  library.begin = () => undefined;
  library.answer = (peer) => peer.tell('open');
});
afterEach(() => vi.unstubAllGlobals());

it('says that there is no such room', async () => {
  await expect(join()).rejects.toMatchObject({ code: 'no_room' });
  expect(library.destroyed).toBe(1);
});
it('says that another page has the letters', async () => {
  library.answer = (peer) => peer.tell('error', { type: 'unavailable-id' });
  await expect(open()).rejects.toMatchObject({ code: 'taken' });
});
it('says that the page has no server for rooms', async () => {
  library.answer = (peer) => peer.tell('error', { type: 'network' });
  await expect(open()).rejects.toMatchObject({ code: 'offline' });
  await expect(join()).rejects.toMatchObject({ code: 'offline' });
});

const forbidden = { code: 'blocked', message: expect.stringContaining('Policy') as unknown };
it('says that a policy forbids the server, where the browser throws', async () => {
  library.begin = () => {
    throw new DOMException('The operation is insecure.', 'SecurityError');
  };
  await expect(open()).rejects.toMatchObject(forbidden);
  await expect(join()).rejects.toMatchObject(forbidden);
});
it('says that a policy forbids the server, where the browser reports it', async () => {
  library.answer = (peer) => {
    const violation = { effectiveDirective: 'connect-src', blockedURI: 'wss://192.168.0.7:8443/' };
    document.dispatchEvent(Object.assign(new Event('securitypolicyviolation'), violation));
    peer.tell('error', { type: 'network' });
  };
  await expect(open()).rejects.toMatchObject(forbidden);
  await expect(join()).rejects.toMatchObject(forbidden);
});
