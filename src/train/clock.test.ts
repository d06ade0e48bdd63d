import { expect, it } from 'vitest';
import { Clock } from './clock.ts';

/** A clock over virtual time, which passes only by `pass`. */
function virtualClock() {
  let now = 0;
  const total = { seconds: 0 };
  const sleeps: number[] = [];
  const clock = new Clock(
    total,
    (seconds) => sleeps.push(seconds),
    () => now,
  );
  const pass = (ms: number): void => {
    now += ms;
  };
  return { total, sleeps, clock, pass };
}

it('counts training but neither pauses nor sleep', () => {
  const { total, sleeps, clock, pass } = virtualClock();
  pass(200);
  clock.stepped();
  pass(200);
  clock.stepped();
  clock.pause();
  pass(5000);
  clock.resume();
  expect(total.seconds).toBeCloseTo(0.4);
  expect(clock.recorded()).toEqual({ slept: false });
  pass(3_600_000);
  clock.stepped();
  pass(200);
  clock.stepped();
  expect(sleeps).toEqual([3600]);
  expect(total.seconds).toBeCloseTo(0.6);
  expect(clock.recorded()).toEqual({ slept: true });
  expect(clock.recorded()).toEqual({ slept: false });
});

it('excludes what runs between two steps', () => {
  const { total, sleeps, clock, pass } = virtualClock();
  pass(200);
  clock.stepped();
  pass(90_000);
  clock.exclude(90_000);
  pass(200);
  clock.stepped();
  expect(sleeps).toEqual([]);
  expect(total.seconds).toBeCloseTo(0.4);
});

it('does not mistake slow steps for sleep', () => {
  const { total, sleeps, clock, pass } = virtualClock();
  for (let i = 0; i < 3; i++) {
    pass(70_000);
    clock.stepped();
  }
  expect(sleeps).toEqual([]);
  expect(total.seconds).toBe(210);
});
