/** The wish for a number of threads, and the workers that are told of it. */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { Command, PagePort } from '../protocol/index.ts';
import { threadWish, wishThreads, withThreadWish } from './threads.ts';

function spawned(): { port: PagePort; sent: Command[] } {
  const sent: Command[] = [];
  const spawn = (): PagePort => ({
    send: (command) => sent.push(command),
    onEvent: () => undefined,
    onDeath: () => undefined,
    close: () => undefined,
  });
  return { port: withThreadWish(spawn)(), sent };
}

describe('the wish for a number of threads', () => {
  beforeEach(() => wishThreads(null));

  test('reaches workers that run, and those that start later', () => {
    const early = spawned();
    expect(early.sent).toEqual([]);
    wishThreads(2);
    const late = spawned();
    expect(early.sent).toEqual([{ type: 'set_threads', threads: 2 }]);
    expect(late.sent).toEqual([{ type: 'set_threads', threads: 2 }]);
  });

  test('is not sent to a worker that has been ended', () => {
    const { port, sent } = spawned();
    port.close();
    wishThreads(3);
    expect(sent).toEqual([]);
  });

  test('is kept in the browser, and nothing is kept of the automatic choice', () => {
    const kept = new Map<string, string>();
    vi.stubGlobal('localStorage', {
      setItem: (key: string, value: string) => kept.set(key, value),
      removeItem: (key: string) => kept.delete(key),
    });
    wishThreads(4);
    expect([...kept.values()]).toEqual(['4']);
    wishThreads(null);
    expect(kept.size).toBe(0);
    vi.unstubAllGlobals();
  });

  test('holds for the visit where the browser stores nothing', () => {
    vi.stubGlobal('localStorage', undefined);
    wishThreads(2);
    expect(threadWish.getState().threads).toBe(2);
    vi.unstubAllGlobals();
  });
});
