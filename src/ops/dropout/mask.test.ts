import { expect, test } from 'vitest';
import { dropoutMask, type DropoutSite, dropThreshold, stir } from './mask.ts';

const site = (changes: Partial<DropoutSite> = {}): DropoutSite => ({
  seed: 1337,
  step: 5,
  site: 2,
  rate: 0.2,
  first_row: 0,
  rows: 200,
  columns: 200,
  ...changes,
});
const kept = (s: DropoutSite): boolean[] => Array.from(dropoutMask(s), (v) => v !== 0);
const share = (flags: readonly boolean[]): number => flags.filter(Boolean).length / flags.length;

test('draws the same rows one micro-batch at a time as all at once', () => {
  const whole = dropoutMask(site({ rows: 8 }));
  const second = dropoutMask(site({ rows: 4, first_row: 4 }));
  expect([...whole.slice(4 * 200)]).toEqual([...second]);
});

test.each([0, 0.1, 0.2, 0.5, 0.9])('drops at the rate %d in every row and column', (rate) => {
  const flags = kept(site({ rate }));
  const sd = Math.sqrt((rate * (1 - rate)) / flags.length);
  expect(Math.abs(share(flags) - (1 - rate))).toBeLessThanOrEqual(4 * sd);
  for (let i = 0; i < 200; i++) {
    const row = flags.slice(200 * i, 200 * i + 200);
    const column = flags.filter((_f, k) => k % 200 === i);
    const bound = 5 * Math.sqrt((rate * (1 - rate)) / 200);
    expect(Math.abs(share(row) - (1 - rate))).toBeLessThanOrEqual(bound);
    expect(Math.abs(share(column) - (1 - rate))).toBeLessThanOrEqual(bound);
  }
});

test.each([
  ['seed', { seed: 1338 }],
  ['step', { step: 6 }],
  ['site', { site: 3 }],
  ['next row', { first_row: 1 }],
  ['far row', { first_row: 2 ** 20 }],
  ['step and site', { step: 2, site: 5 }],
] as const)('draws an independent mask for another %s', (_name, changes) => {
  const rate = 0.5;
  const a = kept(site({ rate }));
  const b = kept(site({ rate, ...changes }));
  const agree = share(a.map((v, i) => v === b[i]));
  expect(Math.abs(agree - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / a.length));
});

test('draws neighbouring columns independently', () => {
  const a = kept(site({ rate: 0.5 }));
  const agree = share(a.slice(1).map((v, i) => v === a[i]));
  expect(Math.abs(agree - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / a.length));
});

test('scales the kept values so that the mean is preserved', () => {
  expect(new Set(dropoutMask(site({ rate: 0.2 })))).toEqual(new Set([0, Math.fround(1.25)]));
});

test('draws the same bits as earlier versions, so that saved runs resume', () => {
  expect([stir(0, 1), stir(0x7e11a21a, 1337), stir(0xffffffff, 0)]).toMatchInlineSnapshot(`
    [
      179721900,
      2889467655,
      3419906276,
    ]
  `);
  expect(dropThreshold(0.5)).toBe(2 ** 31);
});
