/** A list of 32-bit integers that grows by doubling. */
export class Ints {
  /** The elements, and unused capacity after `length`. Replaced when the list grows. */
  data: Int32Array;
  length = 0;

  constructor(capacity = 1024) {
    this.data = new Int32Array(capacity);
  }

  /** Appends an element and returns its index. */
  push(value: number): number {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length] = value;
    return this.length++;
  }

  pushAll(values: Int32Array): void {
    this.reserve(values.length);
    this.data.set(values, this.length);
    this.length += values.length;
  }

  /** Appends values[from..to). */
  pushRange(values: Int32Array, from: number, to: number): void {
    this.reserve(to - from);
    // A loop is faster than `set` with a subarray for the few ids of a word.
    for (let i = from; i < to; i++) this.data[this.length + i - from] = values[i]!;
    this.length += to - from;
  }

  /** Makes room for this many more elements. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.data.length) return;
    const grown = new Int32Array(Math.max(needed, this.data.length * 2));
    grown.set(this.data.subarray(0, this.length));
    this.data = grown;
  }

  toArray(): Int32Array {
    return this.data.slice(0, this.length);
  }
}
