/**
 * The threads of the engine. Every thread has an instance of this module over one memory and calls
 * every kernel of a list; a kernel divides its work into chunks, which the threads claim. How work
 * is cut depends on shapes only, never on the number of threads, so results have the same bits
 * with any number of them.
 *
 * Mutable globals belong to an instance, and so to a thread. What threads share are the words below,
 * each in a cache line of its own, below the module's static data (`--memoryBase`).
 */

/** Number of threads that have arrived at the barrier. */
const ARRIVED: usize = 64;
/** Number of barriers passed. */
const GENERATION: usize = 128;
/** Number of threads that sleep, or are about to. */
const SLEEPERS: usize = 192;
/** The next chunk of the current kernel. */
const NEXT: usize = 256;
/** Number of lists published. */
const LISTS: usize = 320;
/** Begin and end of the list; an empty one ends the helpers. */
const LIST_BEGIN: usize = 384;
const LIST_END: usize = 388;

let threadCount: i32 = 1;
let scratchAddress: usize = 0;
let spins: i32 = 0;
let nextChunk: i32 = 0;

/** Prepares the instance of one of `count` threads, with scratch memory of its own. */
export function setThread(count: i32, scratch: usize, spinCount: i32): void {
  threadCount = count;
  scratchAddress = scratch;
  spins = spinCount;
}

/** The address of this thread's own scratch memory, SCRATCH_BYTES long. */
export function scratch(): usize {
  return scratchAddress;
}

/** Bytes of scratch memory that every thread has. */
const SCRATCH_BYTES: i32 = 4 << 20;

export function scratchBytes(): i32 {
  return SCRATCH_BYTES;
}

/**
 * The next chunk that no thread has claimed yet, from 0; a kernel stops at the first that is beyond
 * its last.
 */
export function claim(): i32 {
  if (!ASC_FEATURE_THREADS || threadCount == 1) return nextChunk++;
  return atomic.add<i32>(NEXT, 1);
}

/** Waits until all threads are here, and begins to count chunks from 0 again. */
export function barrier(): void {
  if (!ASC_FEATURE_THREADS || threadCount == 1) {
    nextChunk = 0;
    return;
  }
  const generation = atomic.load<i32>(GENERATION);
  if (atomic.add<i32>(ARRIVED, 1) == threadCount - 1) {
    atomic.store<i32>(ARRIVED, 0);
    atomic.store<i32>(NEXT, 0);
    atomic.add<i32>(GENERATION, 1);
    wake(GENERATION);
  } else {
    waitWhile(GENERATION, generation);
  }
}

/** Spins while the word is `seen`, then sleeps. */
function waitWhile(word: usize, seen: i32): void {
  for (let spin = spins; spin > 0; spin--) {
    if (atomic.load<i32>(word) != seen) return;
  }
  atomic.add<i32>(SLEEPERS, 1);
  while (atomic.load<i32>(word) == seen) atomic.wait<i32>(word, seen, -1);
  atomic.sub<i32>(SLEEPERS, 1);
}

/** Wakes the threads that sleep on a word, which must have changed already. */
function wake(word: usize): void {
  if (atomic.load<i32>(SLEEPERS) != 0) atomic.notify(word, -1);
}

/**
 * Runs the commands from `begin` to `end`: each is the table index of a kernel, the command's
 * length in bytes, and the kernel's arguments.
 */
function walk(begin: usize, end: usize): void {
  let command = begin;
  while (command < end) {
    call_indirect<void>(load<u32>(command), command + 8);
    barrier();
    command += load<u32>(command, 4);
  }
}

/** Runs a list with all threads. Called by the leader; returns when all of them are done. */
export function run(begin: usize, end: usize): void {
  if (ASC_FEATURE_THREADS && threadCount > 1) publish(begin, end);
  walk(begin, end);
}

/** Ends the helpers. */
export function stop(): void {
  if (ASC_FEATURE_THREADS && threadCount > 1) publish(0, 0);
}

function publish(begin: usize, end: usize): void {
  atomic.store<usize>(LIST_BEGIN, begin);
  atomic.store<usize>(LIST_END, end);
  atomic.add<i32>(LISTS, 1);
  wake(LISTS);
}

/** Runs every list that the leader publishes. Called by a helper; returns when it is stopped. */
export function serve(): void {
  if (!ASC_FEATURE_THREADS) return;
  let seen = 0;
  while (true) {
    waitWhile(LISTS, seen);
    seen++;
    const begin = atomic.load<usize>(LIST_BEGIN);
    const end = atomic.load<usize>(LIST_END);
    if (begin == end) return;
    walk(begin, end);
  }
}
