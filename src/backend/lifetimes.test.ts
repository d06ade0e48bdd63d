import { describe, expect, it } from 'vitest';
import { type Lifetime, planSlots } from './lifetimes.ts';

const meet = (a: Lifetime, b: Lifetime): boolean => !(a.last < b.first || b.last < a.first);

describe('planSlots', () => {
  it('lets a chain of equal tensors ping-pong between two buffers', () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 64, first: i, last: i + 1 }));
    expect(planSlots(chain).slots).toEqual([64, 64]);
  });

  it('never lets two tensors that live at once share, and never grows a slot', () => {
    let seed = 7;
    const random = (n: number): number => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
    for (let round = 0; round < 50; round++) {
      const lives = Array.from({ length: 40 }, () => {
        const first = random(100);
        return { bytes: 4 * (1 + random(1000)), first, last: first + random(20) };
      });
      const { slotOf, slots } = planSlots(lives);
      lives.forEach((a, i) => {
        expect(slots[slotOf[i] ?? -1]).toBeGreaterThanOrEqual(a.bytes);
        lives.forEach((b, j) => {
          if (i !== j && meet(a, b)) expect(slotOf[i]).not.toBe(slotOf[j]);
        });
      });
    }
  });
});
