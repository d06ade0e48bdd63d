/**
 * Plans which transient tensors of a program share a buffer. Two may share one if the first is last
 * used before the second is first written. Larger tensors are placed first, each into the first
 * slot in which no lifetime overlaps its own ("greedy by size": Pisarchyk and Lee 2020, Efficient
 * Memory Management for Deep Neural Net Inference), so a slot never grows. Slots are whole buffers,
 * because a dispatch may not bind one buffer both read-only and writable, at any offset.
 */

import { countWhile } from './sorted.ts';

/** Bytes, and the indices of the first and the last command that uses the tensor (inclusive). */
export interface Lifetime {
  bytes: number;
  first: number;
  last: number;
}

export interface SlotPlan {
  /** Slot of each lifetime, in the order given. */
  slotOf: number[];
  /** Bytes of each slot, largest first. */
  slots: number[];
}

/** A buffer to be: its size, and the lifetimes of the tensors in it, by their first command. */
interface Slot {
  index: number;
  bytes: number;
  lifetimes: Lifetime[];
}

export function planSlots(lifetimes: readonly Lifetime[]): SlotPlan {
  const indexed = lifetimes.map((life, index) => ({ life, index }));
  indexed.sort((a, b) => b.life.bytes - a.life.bytes || a.life.first - b.life.first);
  const peak = busiestCommand(lifetimes);
  const slots: Slot[] = [];
  // Most tensors that are alive at the peak are what backward needs, each in a slot of its own. They
  // look at the other slots only, or the time would grow with the square of the number of layers.
  const freeAtPeak: Slot[] = [];
  const slotOf = new Array<number>(lifetimes.length).fill(-1);
  for (const { life, index } of indexed) {
    const isAtPeak = life.first <= peak && peak <= life.last;
    const candidates = isAtPeak ? freeAtPeak : slots;
    let slot = candidates.find((one) => hasRoom(one, life));
    if (!slot) {
      slot = { index: slots.length, bytes: life.bytes, lifetimes: [] };
      slots.push(slot);
      if (!isAtPeak) freeAtPeak.push(slot);
    } else if (isAtPeak) {
      freeAtPeak.splice(freeAtPeak.indexOf(slot), 1);
    }
    slot.lifetimes.splice(placeIn(slot, life), 0, life);
    slotOf[index] = slot.index;
  }
  return { slotOf, slots: slots.map((slot) => slot.bytes) };
}

/** The first command at which most lifetimes overlap. */
function busiestCommand(lifetimes: readonly Lifetime[]): number {
  const changes = new Map<number, number>();
  const change = (command: number, by: number): void => {
    changes.set(command, (changes.get(command) ?? 0) + by);
  };
  for (const { first, last } of lifetimes) {
    change(first, 1);
    change(last + 1, -1);
  }
  let alive = 0;
  let most = 0;
  let busiest = 0;
  for (const [command, by] of [...changes].sort(([a], [b]) => a - b)) {
    alive += by;
    if (alive <= most) continue;
    most = alive;
    busiest = command;
  }
  return busiest;
}

/** Whether no lifetime in the slot overlaps this one. */
function hasRoom(slot: Slot, life: Lifetime): boolean {
  // Lifetimes in a slot do not overlap, so the last one that begins before the end of `life` is also
  // the last one to end.
  const before = slot.lifetimes[placeIn(slot, life) - 1];
  return before === undefined || before.last < life.first;
}

/** How many lifetimes in the slot begin before the end of this one. */
function placeIn({ lifetimes }: Slot, { last }: Lifetime): number {
  return countWhile(lifetimes, ({ first }) => first <= last);
}

/**
 * Whether the values must survive a boundary before one of these commands, which ascend. Shared
 * scratch would not do for them: another program may run while this one waits.
 */
export function crossesBoundary(life: Lifetime, boundaries: readonly number[]): boolean {
  const next = boundaries[countWhile(boundaries, (command) => command <= life.first)];
  return next !== undefined && next <= life.last;
}
