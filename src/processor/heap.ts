/**
 * The allocator of the engine's memory. It runs in JavaScript, in the leading thread; kernels only
 * get addresses.
 */
import { ProcessorMemoryFull } from './memory_full.ts';

/** Addresses of blocks are multiples of this: a cache line. */
const ALIGN = 64;
const PAGE = 65_536;

/** A part of the memory that belongs to one owner until it is destroyed. */
export class Block {
  readonly address: number;
  /** In bytes, a multiple of 64. */
  readonly size: number;
  readonly #heap: Heap;
  #alive = true;

  constructor(heap: Heap, address: number, size: number) {
    this.#heap = heap;
    this.address = address;
    this.size = size;
  }

  /** Frees the block; has no effect the second time. */
  destroy(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#heap.release(this.address, this.size);
  }
}

interface FreeRange {
  address: number;
  size: number;
}

/** Bytes of all blocks that exist, the maximum of it so far, and the number of blocks. */
export interface HeapUse {
  allocated: number;
  peak: number;
  blocks: number;
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  /** Bytes to which the memory can grow. */
  readonly limit: number;
  /** Sorted by address; no two ranges touch. */
  readonly #free: FreeRange[] = [];
  #end: number;
  readonly #use: HeapUse = { allocated: 0, peak: 0, blocks: 0 };

  /** Blocks lie at `begin` and above; the memory grows with them, to at most `limit` bytes. */
  constructor(memory: WebAssembly.Memory, begin: number, limit = 2 ** 32) {
    this.memory = memory;
    this.limit = limit;
    this.#end = aligned(begin);
  }

  get use(): HeapUse {
    return { ...this.#use };
  }

  /**
   * A block of at least `bytes` bytes, whose contents are undefined.
   *
   * @throws ProcessorMemoryFull if the memory cannot grow.
   */
  allocate(bytes: number): Block {
    const size = aligned(Math.max(bytes, 4));
    const address = this.#take(size);
    this.#use.allocated += size;
    this.#use.peak = Math.max(this.#use.peak, this.#use.allocated);
    this.#use.blocks++;
    return new Block(this, address, size);
  }

  /**
   * Address of memory that is never freed and not counted in `use`: scratch memory of threads.
   *
   * @throws ProcessorMemoryFull if the memory cannot grow.
   */
  reserve(bytes: number): number {
    return this.#take(aligned(bytes));
  }

  /** A block of at least `bytes` bytes, filled with zeros. Throws as `allocate` does. */
  allocateZeros(bytes: number): Block {
    const block = this.allocate(bytes);
    new Uint8Array(this.memory.buffer, block.address, block.size).fill(0);
    return block;
  }

  /** Called by `Block.destroy`. */
  release(address: number, size: number): void {
    this.#use.allocated -= size;
    this.#use.blocks--;
    let index = this.#free.findIndex((range) => range.address > address);
    if (index < 0) index = this.#free.length;
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const touchesBefore = before !== undefined && before.address + before.size === address;
    const touchesAfter = after !== undefined && address + size === after.address;
    if (touchesBefore) {
      before.size += size;
      if (touchesAfter) {
        before.size += after.size;
        this.#free.splice(index, 1);
      }
    } else if (touchesAfter) {
      after.address = address;
      after.size += size;
    } else {
      this.#free.splice(index, 0, { address, size });
    }
  }

  #take(size: number): number {
    return this.#takeFree(size) ?? this.#takeEnd(size);
  }

  /** The smallest free range that fits, so that large ones stay whole. */
  #takeFree(size: number): number | null {
    let best: FreeRange | null = null;
    for (const range of this.#free)
      if (range.size >= size && (!best || range.size < best.size)) best = range;
    if (!best) return null;
    const { address } = best;
    best.address += size;
    best.size -= size;
    if (best.size === 0) this.#free.splice(this.#free.indexOf(best), 1);
    return address;
  }

  /** Extends the last free range, if it lies at the end, or begins a new one there. */
  #takeEnd(size: number): number {
    const last = this.#free.at(-1);
    const atEnd = last && last.address + last.size === this.#end ? last : null;
    const address = atEnd ? atEnd.address : this.#end;
    this.#growTo(address + size, size);
    if (atEnd) this.#free.pop();
    this.#end = address + size;
    return address;
  }

  #growTo(end: number, size: number): void {
    const missing = end - this.memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      this.memory.grow(Math.ceil(missing / PAGE));
    } catch {
      throw new ProcessorMemoryFull(size, this.#use.allocated);
    }
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGN) * ALIGN;
}
