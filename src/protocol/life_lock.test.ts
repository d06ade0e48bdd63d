import { expect, test, vi } from 'vitest';
import { holdLifeLock, whenReleased } from './life_lock.ts';
import { TestingLocks } from './testing_locks.ts';

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test('the end of a worker is noticed, whoever asks for its lock and when', async () => {
  const locks = new TestingLocks();
  const lock = (await holdLifeLock(locks)) ?? '';
  const ended = vi.fn();
  whenReleased(lock, ended, locks);
  await settle();
  expect(ended).not.toHaveBeenCalled();
  locks.endHolderOf(lock);
  await settle();
  expect(ended).toHaveBeenCalledTimes(1);
  whenReleased(lock, ended, locks);
  await settle();
  expect(ended).toHaveBeenCalledTimes(2);
});

test('an end that is wanted is not reported', async () => {
  const locks = new TestingLocks();
  const lock = (await holdLifeLock(locks)) ?? '';
  const ended = vi.fn();
  const stop = whenReleased(lock, ended, locks);
  stop();
  locks.endHolderOf(lock);
  await settle();
  expect(ended).not.toHaveBeenCalled();
});

test('every worker holds a lock of its own', async () => {
  const locks = new TestingLocks();
  expect(await holdLifeLock(locks)).not.toBe(await holdLifeLock(locks));
});

test('a browser without locks, or one that refuses them, gives none', async () => {
  const refusing = { request: () => Promise.reject(new DOMException('No.', 'SecurityError')) };
  expect(await holdLifeLock(null)).toBeNull();
  expect(await holdLifeLock(refusing)).toBeNull();
  expect(() => whenReleased('any', () => undefined, refusing)).not.toThrow();
});
