import { describe, expect, it } from 'vitest';
import { type Lifetime, planSlots } from './lifetimes.ts';

/** Uniform integers below `n`. */
function randomIntegers(seed: number): (n: number) => number {
  let state = seed;
  return (n) => (state = (state * 1103515245 + 12345) % 2 ** 31) % n;
}

function randomLives(random: (n: number) => number, count: number): Lifetime[] {
  return Array.from({ length: count }, () => {
    const first = random(100);
    return { bytes: 4 * (1 + random(20)), first, last: first + random(40) };
  });
}

/** Slots as `planSlots` defines them, by comparing each tensor with all tensors of every slot. */
function planPlainly(lives: readonly Lifetime[]): number[] {
  const order = lives.map((life, index) => ({ life, index }));
  order.sort((a, b) => b.life.bytes - a.life.bytes || a.life.first - b.life.first);
  const slots: Lifetime[][] = [];
  const slotOf: number[] = [];
  for (const { life, index } of order) {
    const found = slots.findIndex((slot) => slot.every((other) => !meet(life, other)));
    slotOf[index] = found < 0 ? slots.push([]) - 1 : found;
    slots[slotOf[index]]?.push(life);
  }
  return slotOf;
}

/**
 * The lifetimes of a training step of so many layers: each layer keeps four tensors until its
 * backward pass, and has two short ones on either side. Counts how often they are looked at.
 */
function livesOfStep(layers: number): { lives: Lifetime[]; looks: () => number } {
  let looks = 0;
  const counted = (bytes: number, first: number, last: number): Lifetime => ({
    bytes,
    get first() {
      looks++;
      return first;
    },
    last,
  });
  const end = 12 * layers;
  const lives = Array.from({ length: layers }, (_, layer) => {
    const start = 6 * layer;
    const kept = [0, 1, 2, 3].map((i) => counted(64 * (1 + (i % 2)), start + i, end - start - i));
    const short = [0, 2].flatMap((i) => [
      counted(256, start + i, start + i + 1),
      counted(256, end - start - i - 2, end - start - i),
    ]);
    return [...kept, ...short];
  }).flat();
  return { lives, looks: () => looks };
}

const meet = (a: Lifetime, b: Lifetime): boolean => !(a.last < b.first || b.last < a.first);

describe('planSlots', () => {
  it('lets a chain of equal tensors ping-pong between two buffers', () => {
    const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 64, first: i, last: i + 1 }));
    expect(planSlots(chain).slots).toEqual([64, 64]);
  });

  it('never lets two tensors that live at once share, and never grows a slot', () => {
    const random = randomIntegers(7);
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

  it('puts each tensor into the first slot that has room, as a plain search finds it', () => {
    const random = randomIntegers(11);
    for (let round = 0; round < 100; round++) {
      const lives = randomLives(random, 1 + random(60));
      expect(planSlots(lives).slotOf).toEqual(planPlainly(lives));
    }
    const { lives } = livesOfStep(12);
    expect(planSlots(lives).slotOf).toEqual(planPlainly(lives));
  });

  it('looks at tensors in proportion to the number of layers', () => {
    const looksOf = (layers: number): number => {
      const { lives, looks } = livesOfStep(layers);
      planSlots(lives);
      return looks();
    };
    expect(looksOf(96) / looksOf(48)).toBeLessThan(2.6);
  });
});
