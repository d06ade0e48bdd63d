import { describe, expect, it } from 'vitest';
import { createView } from '../../store/index.ts';
import { isDue, nextPoints, type DrawerState } from './clock.ts';
import { niceTicks, paddedDomain, roundStep, xDomainOf } from './scale.ts';

describe('nextPoints', () => {
  it('lowers the points of slow drawings to the minimum', () => {
    let points = 300;
    for (let i = 0; i < 20; i += 1) points = nextPoints(points, { cost: 80, max: 300 });
    expect(points).toBe(48);
  });
  it('raises the points of fast drawings to the maximum', () => {
    let points = 48;
    for (let i = 0; i < 20; i += 1) points = nextPoints(points, { cost: 5, max: 300 });
    expect(points).toBe(300);
  });
  it('keeps the points of drawings in between', () => {
    expect(nextPoints(200, { cost: 20, max: 300 })).toBe(200);
  });
});

describe('isDue', () => {
  const drawer = (change: Partial<DrawerState>): DrawerState => ({
    ...{ visible: true, interval: 250, lastDrawn: 1000, drawnVersion: 3, drawnPoints: 300 },
    ...{ maxPoints: 300, version: () => 4 },
    ...change,
  });
  it('draws new data at most four times a second', () => {
    expect(isDue(drawer({}), 1249)).toBe(false);
    expect(isDue(drawer({}), 1250)).toBe(true);
  });
  it('draws nothing without new data or out of sight', () => {
    expect(isDue(drawer({ version: () => 3 }), 9000)).toBe(false);
    expect(isDue(drawer({ visible: false }), 9000)).toBe(false);
  });
  it('draws data that rests once more if the last drawing had fewer points', () => {
    const coarse = drawer({ version: () => 3, drawnPoints: 48 });
    expect(isDue(coarse, 1500)).toBe(false);
    expect(isDue(coarse, 2500)).toBe(true);
  });
});

describe('roundStep', () => {
  it.each([
    [0.7, 1],
    [1.2, 2],
    [3, 5],
    [6, 10],
    [0.0031, 0.005],
  ])('rounds %d up to %d', (rough, step) => {
    expect(roundStep(rough)).toBeCloseTo(step, 12);
  });
});

describe('niceTicks', () => {
  it('returns round numbers inside the domain', () => {
    expect(niceTicks([0, 750], { log: false, maxTicks: 8 })).toEqual([
      0, 100, 200, 300, 400, 500, 600, 700,
    ]);
    expect(niceTicks([0.001, 1], { log: true, maxTicks: 4 })).toEqual([0.001, 0.01, 0.1, 1]);
  });
  it('returns only integers when asked to', () => {
    const integers = { maxTicks: 8, integers: true };
    expect(niceTicks([0, 2], { log: false, ...integers })).toEqual([0, 1, 2]);
    expect(niceTicks([1, 3], { log: true, ...integers })).toEqual([1, 2, 3]);
    expect(niceTicks([0, 2], { log: false, maxTicks: 8 })).toContain(0.5);
    expect(niceTicks([0, 750], { log: false, ...integers })).toEqual(
      niceTicks([0, 750], { log: false, maxTicks: 8 }),
    );
  });
});

describe('paddedDomain', () => {
  it('contains the data and the references', () => {
    const [low, high] = paddedDomain([1.9, 4.2], { references: [4.5], log: false });
    expect(low).toBeLessThanOrEqual(1.9);
    expect(high).toBeGreaterThanOrEqual(4.5);
  });
  it('starts at the floor', () => {
    expect(paddedDomain([1, 4], { references: [], log: false, floor: 0 })[0]).toBe(0);
  });
  it('has a height even without data or with constant data', () => {
    expect(paddedDomain([5, 5], { references: [], log: false, floor: 0 })[1]).toBeGreaterThan(5);
    const [bottom, top] = paddedDomain(null, { references: [], log: false });
    expect(top).toBeGreaterThan(bottom);
  });
});

describe('xDomainOf', () => {
  const view = createView().getState();
  it('starts at 0 on a linear scale and at the first point on a log scale', () => {
    expect(xDomainOf(view, [3, 90])).toEqual([0, 90]);
    expect(xDomainOf({ ...view, logX: true }, [3, 90])).toEqual([3, 90]);
  });
  it('follows the zoom, but not below the first point on a log scale', () => {
    expect(xDomainOf({ ...view, zoom: [1, 20] }, [3, 90])).toEqual([1, 20]);
    expect(xDomainOf({ ...view, zoom: [1, 20], logX: true }, [3, 90])).toEqual([3, 20]);
  });
  it('has a domain before there is data', () => {
    expect(xDomainOf(view, null)).toEqual([0, 1]);
  });
});
