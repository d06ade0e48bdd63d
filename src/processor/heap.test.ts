import { describe, expect, test } from 'vitest';
import { type Block, Heap } from './heap.ts';
import { ProcessorMemoryFull } from './memory_full.ts';

const PAGE = 65_536;
const memoryOf = (maximum: number): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: 1, maximum });

describe('the heap of the engine', () => {
  test('gives blocks that do not overlap, at multiples of 64 bytes', () => {
    const heap = new Heap(memoryOf(100), 100);
    const blocks = [1, 64, 65, 1000].map((bytes) => heap.allocate(bytes));
    expect(blocks.map(({ address }) => address % 64)).toEqual([0, 0, 0, 0]);
    expect(blocks.map(({ size }) => size)).toEqual([64, 64, 128, 1024]);
    const sorted = blocks.sort((a, b) => a.address - b.address);
    sorted.forEach((block, i) => {
      const next = sorted[i + 1];
      if (next) expect(block.address + block.size).toBeLessThanOrEqual(next.address);
    });
  });

  test('uses freed memory again, however it was freed', () => {
    const heap = new Heap(memoryOf(4), 0);
    for (let round = 0; round < 200; round++) {
      const blocks: Block[] = [];
      for (let i = 0; i < 20; i++) blocks.push(heap.allocate(64 + ((i * 977 + round) % 5000)));
      const order = blocks.map((_, i) => (i * 7 + round) % blocks.length);
      for (const i of order) blocks[i]?.destroy();
    }
    expect(heap.use).toEqual({ allocated: 0, peak: heap.use.peak, blocks: 0 });
    expect(heap.allocate(3 * PAGE).address).toBe(0);
  });

  test('grows the memory only as far as needed', () => {
    const memory = memoryOf(10);
    const heap = new Heap(memory, 0);
    heap.allocate(PAGE);
    expect(memory.buffer.byteLength).toBe(PAGE);
    heap.allocate(64);
    expect(memory.buffer.byteLength).toBe(2 * PAGE);
  });

  test('says what is missing if the memory cannot grow, and keeps what it has', () => {
    const heap = new Heap(memoryOf(2), 0);
    const block = heap.allocate(PAGE);
    expect(() => heap.allocate(3 * PAGE)).toThrow(ProcessorMemoryFull);
    expect(() => heap.allocate(3 * PAGE)).toThrow(/1 MB are in use and 1 MB more are needed/u);
    block.destroy();
    expect(heap.allocate(2 * PAGE).address).toBe(0);
  });

  test('does not count what it reserves for good', () => {
    const heap = new Heap(memoryOf(10), 0);
    const address = heap.reserve(PAGE);
    const block = heap.allocate(64);
    expect(block.address).toBe(address + PAGE);
    expect(heap.use).toEqual({ allocated: 64, peak: 64, blocks: 1 });
  });

  test('fills blocks of zeros even where there was something', () => {
    const memory = memoryOf(2);
    const heap = new Heap(memory, 0);
    const first = heap.allocate(128);
    new Uint8Array(memory.buffer, first.address, 128).fill(7);
    first.destroy();
    const again = heap.allocateZeros(128);
    expect(again.address).toBe(first.address);
    expect(new Uint8Array(memory.buffer, again.address, 128).every((byte) => byte === 0)).toBe(
      true,
    );
  });
});
