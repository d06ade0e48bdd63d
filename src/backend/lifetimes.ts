/**
 * Plans which transient tensors of a program share a buffer. Two may if one is last used before the
 * other is first written. Larger ones are placed first, each into the first slot whose tenants it
 * does not meet ("greedy by size" of Pisarchyk and Lee 2020, Efficient Memory Management for Deep
 * Neural Net Inference): a slot never grows. Slots are whole buffers, since one dispatch may not
 * bind a buffer both read-only and writable, whatever the offsets.
 */

/**
 * A transient: bytes, and the indices of the dispatches that first write it and last touch it (both
 * inclusive).
 */
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
  const order = lifetimes
    .map((_, i) => i)
    .sort(
      (a, b) =>
        at(lifetimes, b).bytes - at(lifetimes, a).bytes ||
        at(lifetimes, a).first - at(lifetimes, b).first,
    );
  const slots: number[] = [];
  const tenants: Lifetime[][] = [];
  const slotOf = new Array<number>(lifetimes.length).fill(-1);
  for (const i of order) {
    const life = at(lifetimes, i);
    let slot = tenants.findIndex((list) =>
      list.every((t) => t.last < life.first || life.last < t.first),
    );
    if (slot < 0) {
      slot = slots.length;
      slots.push(life.bytes);
      tenants.push([]);
    }
    at(tenants, slot).push(life);
    slotOf[i] = slot;
  }
  return { slotOf, slots };
}

function at<T>(list: readonly T[], i: number): T {
  const value = list[i];
  if (value === undefined) throw new RangeError(`No element ${i} in a list of ${list.length}.`);
  return value;
}
