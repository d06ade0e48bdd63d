import { describe, expect, it } from 'vitest';
import { nextPoints } from './clock.ts';
import { niceTicks, paddedDomain, roundStep } from './scale.ts';

describe('nextPoints', () => {
  it('falls on a slow device, rises on a fast one, and stays between', () => {
    let points = 300;
    for (let i = 0; i < 20; i += 1) points = nextPoints(points, 80, 300);
    expect(points).toBe(48);
    for (let i = 0; i < 20; i += 1) points = nextPoints(points, 5, 300);
    expect(points).toBe(300);
    expect(nextPoints(200, 20, 300)).toBe(200);
  });
});

describe('scale', () => {
  it.each([
    [0.7, 1],
    [1.2, 2],
    [3, 5],
    [6, 10],
    [0.0031, 0.005],
  ])('a round step of at least %d is %d', (rough, step) => {
    expect(roundStep(rough)).toBeCloseTo(step, 12);
  });
  it('gives round ticks inside the domain', () => {
    expect(niceTicks([0, 750], false, 8)).toEqual([0, 100, 200, 300, 400, 500, 600, 700]);
    expect(niceTicks([0.001, 1], true, 4)).toEqual([0.001, 0.01, 0.1, 1]);
  });
  it('has no tick between two whole numbers where there is nothing', () => {
    expect(niceTicks([0, 2], false, 8, true)).toEqual([0, 1, 2]);
    expect(niceTicks([1, 3], true, 8, true)).toEqual([1, 2, 3]);
    expect(niceTicks([0, 2], false, 8)).toContain(0.5);
    expect(niceTicks([0, 750], false, 8, true)).toEqual(niceTicks([0, 750], false, 8));
  });
  it('widens to hold data and references, and never has no height', () => {
    const [low, high] = paddedDomain([1.9, 4.2], [4.5], false);
    expect(low).toBeLessThanOrEqual(1.9);
    expect(high).toBeGreaterThanOrEqual(4.5);
    expect(paddedDomain([5, 5], [], false, 0)[1]).toBeGreaterThan(5);
    const [bottom, top] = paddedDomain(null, [], false);
    expect(top).toBeGreaterThan(bottom);
  });
});
