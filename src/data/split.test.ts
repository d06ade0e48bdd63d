import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeSplit } from './split.ts';

const corpus = (documents: string[]) => ({ name: 'test', documents, separator: '\n', source: '' });
const documents = fc.array(
  fc.string({ minLength: 1, maxLength: 20 }).map((s) => `x${s}`),
  { minLength: 2, maxLength: 50 },
);

describe('makeSplit', () => {
  it('assigns every distinct document to exactly one side, in any version and order', () => {
    fc.assert(
      fc.property(
        documents,
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        fc.nat(),
        (list, val_fraction, seed) => {
          fc.pre(new Set(list).size > 1);
          const split = makeSplit(corpus(list), { val_fraction, seed });
          const first = makeSplit(corpus(list), { val_fraction, seed, version: 1 });
          const distinct = [...new Set(list)];
          expect([...split.train, ...split.val].sort()).toEqual([...distinct].sort());
          expect(split.duplicates_removed).toBe(list.length - distinct.length);
          expect(split.train.length).toBeGreaterThan(0);
          expect(split.val.length).toBeGreaterThan(0);
          for (const side of [first.train, first.val])
            expect(side).toEqual(distinct.filter((text) => side.includes(text)));
          expect([...split.train].sort()).toEqual([...first.train].sort());
          expect([...split.val].sort()).toEqual([...first.val].sort());
        },
      ),
    );
  });
  it('shuffles independent documents on both sides, the same way for every run', () => {
    const words = Array.from({ length: 2000 }, (_, i) => String(i).padStart(4, '0'));
    const split = makeSplit(corpus(words), { val_fraction: 0.25 });
    for (const side of [split.train, split.val]) {
      const neighbours = side.slice(1).filter((word, i) => word[0] === side[i]?.[0]).length;
      // Half of the words start with 0, half with 1.
      expect(neighbours / side.length).toBeGreaterThan(0.4);
      expect(neighbours / side.length).toBeLessThan(0.6);
    }
    expect(makeSplit(corpus(words), { val_fraction: 0.25 })).toEqual(split);
    expect(makeSplit(corpus(words), { val_fraction: 0.25, seed: 1 }).train).not.toEqual(
      split.train,
    );
  });
  it.each(['continuous', 'sequential'])('keeps the order of %s documents', (kind) => {
    const words = Array.from({ length: 100 }, (_, i) => String(i).padStart(4, '0'));
    const { train, val } = makeSplit({ ...corpus(words), [kind]: true }, { val_fraction: 0.2 });
    for (const side of [train, val]) expect(side).toEqual([...side].sort());
  });
  it('holds out the requested fraction of the characters', () => {
    const list = Array.from({ length: 1000 }, (_, i) => `document ${i} `.repeat(1 + (i % 7)));
    const split = makeSplit(corpus(list), { val_fraction: 0.1 });
    const size = (side: string[]) => side.join('').length;
    expect(size(split.val) / size(list)).toBeGreaterThan(0.098);
    expect(size(split.val) / size(list)).toBeLessThanOrEqual(0.1);
  });
  it('is a function of the seed', () => {
    const list = Array.from({ length: 200 }, (_, i) => `document ${i}`);
    const val = (seed: number) => makeSplit(corpus(list), { val_fraction: 0.1, seed }).val.join();
    expect(val(1)).toBe(val(1));
    expect(val(1)).not.toBe(val(2));
  });
  it('cuts a single document at a line end', () => {
    const { train, val } = makeSplit(corpus(['line one\n'.repeat(10)]), { val_fraction: 0.2 });
    expect(train[0]! + val[0]!).toBe('line one\n'.repeat(10));
    expect(val[0]).toMatch(/^\nline one/);
  });
  it('cuts a few long documents rather than holding one out', () => {
    const novels = ['a', 'b', 'c'].map((name) => `${name} line\n`.repeat(500));
    const { train, val } = makeSplit(corpus(novels), { val_fraction: 0.1 });
    expect([train.length, val.length]).toEqual([3, 3]);
    const size = (side: string[]) => side.join('').length;
    expect(size(val) / size(novels)).toBeCloseTo(0.1, 2);
    // Earlier versions held out the shortest.
    expect(makeSplit(corpus(novels), { val_fraction: 0.1, version: 1 }).val).toEqual([novels[0]]);
  });
  it('keeps repeats if it is told to', () => {
    const list = Array.from({ length: 500 }, () => 'the kettle sings at dawn');
    const { train, val, duplicates_removed } = makeSplit(corpus(list), {
      val_fraction: 0.1,
      keep_repeats: true,
    });
    expect([train.length, val.length, duplicates_removed]).toEqual([450, 50, 0]);
  });
  it('refuses an empty text, and one too short to cut', () => {
    expect(() => makeSplit(corpus(['', ' \n']), { val_fraction: 0.1 })).toThrow(
      expect.objectContaining({ code: 'text_empty' }),
    );
    expect(() => makeSplit(corpus(['a']), { val_fraction: 0.1 })).toThrow(
      expect.objectContaining({ code: 'text_too_short' }),
    );
  });
});
