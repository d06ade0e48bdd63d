import { describe, expect, it } from 'vitest';
import { movedTo, pixelOf, valueAt, type XScale } from './plot_area.ts';

const linear: XScale = { domain: [100, 300], log: false, width: 400 };
const log: XScale = { domain: [1, 1000], log: true, width: 300 };

describe('positions on the x axis', () => {
  it('are proportional on a linear scale and logarithmic on a log scale', () => {
    expect(pixelOf(150, linear)).toBe(100);
    expect(pixelOf(100, log)).toBeCloseTo(200, 9);
  });
  it.each([linear, log])('are inverted by valueAt', (scale) => {
    for (const pixel of [0, 12, 299])
      expect(pixelOf(valueAt(pixel, scale), scale)).toBeCloseTo(pixel);
  });
  it('stay within the domain', () => {
    expect(valueAt(-50, linear)).toBe(100);
    expect(valueAt(5000, linear)).toBe(300);
  });
});

describe('movedTo', () => {
  const rows = Array.from({ length: 500 }, (_, i) => ({ x: i }));
  it('moves by a hundredth with an arrow key and by a tenth with a page key', () => {
    expect(movedTo(rows, 200, { direction: 1, by: 'arrow' }, linear)).toBe(202);
    expect(movedTo(rows, 200, { direction: -1, by: 'page' }, linear)).toBe(180);
  });
  it('moves to the next row if rows are further apart', () => {
    const sparse = [{ x: 100 }, { x: 180 }, { x: 300 }];
    expect(movedTo(sparse, 100, { direction: 1, by: 'arrow' }, linear)).toBe(180);
    expect(movedTo(sparse, 180, { direction: -1, by: 'arrow' }, linear)).toBe(100);
  });
  it('stays within the visible range', () => {
    expect(movedTo(rows, 300, { direction: 1, by: 'page' }, linear)).toBe(300);
    expect(movedTo(rows, 100, { direction: -1, by: 'arrow' }, linear)).toBe(100);
  });
});
