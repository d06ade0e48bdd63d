/** The connections that a member makes by codes, each good for one. */
import { expect, it, vi } from 'vitest';
import { memoryChannels, type PoolChannel } from '../../parallel/pool/channel.ts';
import { CodeConnection } from './code_connection.ts';

/** A code whose answer the host takes when `take` is called. */
function newCode() {
  let take: (channel: PoolChannel) => void = () => undefined;
  const channel = new Promise<PoolChannel>((resolve) => (take = resolve));
  return { channel, close: vi.fn(), take: (taken: PoolChannel) => take(taken) };
}

it('waits for the host, then needs another code once the connection is lost', async () => {
  const opened = vi.fn();
  const byCode = new CodeConnection(opened);
  const code = newCode();
  byCode.use(code);
  const connected = byCode.connect();
  const [channel] = memoryChannels();
  code.take(channel);
  expect(await connected).toBe(channel);
  expect(opened).toHaveBeenCalledOnce();
  expect(byCode.needsCode).toBe(false);
  await expect(byCode.connect()).rejects.toMatchObject({ code: 'offline' });
  expect(byCode.needsCode).toBe(true);
  byCode.use(newCode());
  expect(byCode.needsCode).toBe(false);
});

it('gives up a code for a later one, and closes what its answer still opens', async () => {
  const byCode = new CodeConnection(() => undefined);
  const [first, second] = [newCode(), newCode()];
  byCode.use(first);
  const connected = byCode.connect();
  byCode.use(second);
  expect(first.close).toHaveBeenCalledOnce();
  // The host takes the answer to the earlier code after all.
  const [late] = memoryChannels();
  const close = vi.spyOn(late, 'close');
  first.take(late);
  await first.channel;
  await Promise.resolve();
  expect(close).toHaveBeenCalledOnce();
  const [channel] = memoryChannels();
  second.take(channel);
  expect(await connected).toBe(channel);
});

it('closes the connection of a code that nobody has answered when the room is left', () => {
  const byCode = new CodeConnection(() => undefined);
  const code = newCode();
  byCode.use(code);
  byCode.close();
  expect(code.close).toHaveBeenCalledOnce();
});
