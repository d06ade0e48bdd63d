/**
 * Plans which transient tensors of a program share a buffer. Two may share one if the first is last
 * used before the second is first written. Larger tensors are placed first, each into the first
 * slot in which no lifetime overlaps its own ("greedy by size": Pisarchyk and Lee 2020, Efficient
 * Memory Management for Deep Neural Net Inference), so a slot never grows. Slots are whole buffers,
 * because a dispatch may not bind one buffer both read-only and writable, at any offset.
 */

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

export function planSlots(lifetimes: readonly Lifetime[]): SlotPlan {
  const indexed = lifetimes.map((life, index) => ({ life, index }));
  indexed.sort((a, b) => b.life.bytes - a.life.bytes || a.life.first - b.life.first);
  const slots: { bytes: number; lifetimes: Lifetime[] }[] = [];
  const slotOf = new Array<number>(lifetimes.length).fill(-1);
  for (const { life, index } of indexed) {
    let slot = slots.findIndex((one) => one.lifetimes.every((other) => !overlap(life, other)));
    if (slot < 0) slot = slots.push({ bytes: life.bytes, lifetimes: [] }) - 1;
    slots[slot]?.lifetimes.push(life);
    slotOf[index] = slot;
  }
  return { slotOf, slots: slots.map((slot) => slot.bytes) };
}

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/**
 * Whether the values must survive a boundary before one of these commands. Shared scratch would not
 * do for them: another program may run while this one waits.
 */
export function crossesBoundary(life: Lifetime, boundaries: readonly number[]): boolean {
  return boundaries.some((command) => life.first < command && command <= life.last);
}
