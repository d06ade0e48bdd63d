import { expect, it } from 'vitest';
import { Clock } from './clock.ts';

function at() {
  let now = 0;
  const total = { seconds: 0 };
  const naps: number[] = [];
  const clock = new Clock(
    total,
    (s) => naps.push(s),
    () => now,
  );
  return {
    total,
    naps,
    clock,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it('counts training, and neither pauses nor sleep', () => {
  const { total, naps, clock, pass } = at();
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
  expect(naps).toEqual([3600]);
  expect(total.seconds).toBeCloseTo(0.6);
  expect(clock.recorded()).toEqual({ slept: true });
  expect(clock.recorded()).toEqual({ slept: false });
});

it('leaves out what is done between two steps', () => {
  const { total, naps, clock, pass } = at();
  pass(200);
  clock.stepped();
  pass(90_000);
  clock.leaveOut(90_000);
  pass(200);
  clock.stepped();
  expect(naps).toEqual([]);
  expect(total.seconds).toBeCloseTo(0.4);
});

it('does not take a slow device for a sleeping one', () => {
  const { total, naps, clock, pass } = at();
  for (let i = 0; i < 3; i++) {
    pass(70_000);
    clock.stepped();
  }
  expect(naps).toEqual([]);
  expect(total.seconds).toBe(210);
});
