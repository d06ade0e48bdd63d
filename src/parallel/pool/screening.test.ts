/** Which contributions count, by their sizes over several rounds. */
import { describe, expect, it } from 'vitest';
import { encodeHalves } from './float16.ts';
import { type Contribution, REMEMBERED_ROUNDS, Screening } from './screening.ts';

/** A difference of this norm that comes from so many steps. */
const contribution = (member: number, norm: number, steps = 10): Contribution => ({
  member,
  steps,
  gradient: encodeHalves(new Float32Array(4).fill(norm / 2)),
});

/** Members that are refused in each of the rounds, which are given as the members' norms. */
function refusedIn(rounds: readonly (readonly number[])[]): number[][] {
  const screening = new Screening();
  return rounds.map((norms) => {
    const screened = screening.screen(norms.map((norm, i) => contribution(i + 1, norm)));
    return screened.refused.map(({ member }) => member);
  });
}
const repeat = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('honest contributions', () => {
  it('are refused for a few rounds at most after all of them grew, as by a learning rate', () => {
    for (const members of [1, 2, 3, 30]) {
      const before = repeat(20, repeat(members, 1));
      const refused = refusedIn([...before, ...repeat(10, repeat(members, 40))]).slice(20);
      const rounds = refused.filter((some) => some.length > 0).length;
      expect(rounds).toBeLessThanOrEqual(REMEMBERED_ROUNDS);
      expect(refused.at(-1)).toEqual([]);
    }
  });
  it('count from the first round on while the learning rate warms up', () => {
    const warmUp = Array.from({ length: 50 }, (_, i) => [1 + i, 1.5 + i, 0.7 * (1 + i)]);
    expect(refusedIn(warmUp).flat()).toEqual([]);
    expect(refusedIn(warmUp.map(([norm]) => [norm ?? 0])).flat()).toEqual([]);
  });
  it('count in a room of two whose other laptop takes few steps, or has none left', () => {
    const screening = new Screening();
    for (let round = 0; round < 20; round++) {
      // Norms of AdamW on `names`, after 300 steps.
      const few = round < 10 ? contribution(1, 0.1118, 1) : contribution(1, 0, 0);
      expect(screening.screen([few, contribution(2, 2.07, 50)]).refused).toEqual([]);
    }
  });
  it('count although the members differ much from each other', () => {
    const spread = [1, 2, 4, 8, 30, 3, 5];
    expect(refusedIn(repeat(10, spread)).flat()).toEqual([]);
  });
});

describe('far outliers', () => {
  it.each([
    ['one of two', [1, 100], [2]],
    ['one of three', [1, 100, 1], [2]],
    ['two of five', [1, 100, 1, 30, 1], [2, 4]],
    ['one beside members that differ much', [1, 2, 4, 8, 16, 300], [6]],
    ['one half', [1, 100, 1, 100], [2, 4]],
  ])('are refused in every round: %s', (_name, norms, expected) => {
    expect(refusedIn(repeat(30, norms))).toEqual(repeat(30, expected));
  });
  it('are not excused by the steps that they claim beyond a factor', () => {
    const screening = new Screening();
    const members = [contribution(1, 1), contribution(2, 1), contribution(3, 100, 1)];
    expect(screening.screen(members).refused).toMatchObject([{ member: 3 }]);
  });
  it('are said to be so many times as large as is usual', () => {
    const { refused } = new Screening().screen([contribution(1, 1), contribution(2, 64)]);
    expect(refused).toEqual([{ member: 2, why: 'It is 64 times as large as is usual.' }]);
  });
});

it('refuses values that are not numbers, or are not once they are scaled', () => {
  const { gradient } = contribution(1, 1);
  expect(Screening.fault(gradient)).toBeNull();
  expect(Screening.fault(encodeHalves(Float32Array.of(1, NaN)))).toMatch(/not numbers/u);
  expect(Screening.fault({ ...gradient, exponent: 127 })).toMatch(/not numbers/u);
});
