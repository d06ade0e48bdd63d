/**
 * The threads of the engine. Every thread has an instance of this module over one memory and calls
 * every kernel of a list; a kernel divides its work into chunks, which the threads claim. How work
 * is cut depends on shapes only, never on the number of threads, so results have the same bits
 * with any number of them.
 *
 * Mutable globals belong to an instance, and so to a thread. What threads share are the words below,
 * each in a cache line of its own, below the module's static data (`--memoryBase`).
 *
 * One thread leads: it calls `run`. The others are helpers: each calls `serve`. Helpers sleep
 * without a timeout. src/processor/threads_model.test.ts runs this file in every interleaving of two
 * and three threads.
 */

/** Number of threads that have arrived at the barrier. */
const ARRIVED: usize = 64;
/** Number of barriers passed. */
const GENERATION: usize = 128;
/** Number of threads that sleep, or are about to sleep. */
const SLEEPERS: usize = 192;
/** The next chunk of the current kernel. */
const NEXT: usize = 256;
/** Number of lists published. */
const LISTS: usize = 320;
/** Begin and end of the list; an empty one ends the helpers. */
const LIST_BEGIN: usize = 384;
const LIST_END: usize = 388;
/** Why the threads cannot go on; 0 while they can. */
const FAILURE: usize = 448;

/** A reason of `failure`: a thread stopped claiming chunks and did not arrive at a barrier. */
const STUCK: i32 = 1;

/** Nanoseconds that the leader sleeps before it checks whether the helpers make progress. */
const LOOK_EVERY: i64 = 250_000_000;
/**
 * How many checks in a row may find no progress. Checks are counted rather than time, because a
 * computer that was suspended for hours has made no progress in that time.
 */
const LOOKS: i32 = 20;
/** What `atomic.wait` returns if nobody woke it. */
const TIMED_OUT: i32 = 2;

/** `waitWhile` halves the polls down to this number, unless `setThread` asks for fewer. */
const FEWEST_POLLS: i32 = 64;

let threadCount: i32 = 1;
let scratchAddress: usize = 0;
/** How often this thread polls before it sleeps: at most, and at present. */
let mostPolls: i32 = 0;
let polls: i32 = 0;
let leads: bool = false;
let nextChunk: i32 = 0;

/** Prepares the instance of one of `count` threads. `scratch`: address of its scratch memory. */
export function setThread(count: i32, scratch: usize, spinCount: i32): void {
  threadCount = count;
  scratchAddress = scratch;
  mostPolls = spinCount;
  polls = spinCount;
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
    // The others go on as soon as the generation changes, so it changes last.
    atomic.store<i32>(ARRIVED, 0);
    atomic.store<i32>(NEXT, 0);
    atomic.add<i32>(GENERATION, 1);
    wake(GENERATION);
  } else {
    waitWhile(GENERATION, generation);
  }
}

/**
 * Polls while the word is `seen`, then sleeps. Polling for another thread is wasted while that one
 * waits for a core, so a thread polls half as long after each time that it was in vain.
 */
function waitWhile(word: usize, seen: i32): void {
  for (let poll = 0; poll < polls; poll += pause(poll)) {
    if (atomic.load<i32>(word) != seen) {
      if (polls < mostPolls) polls += polls;
      return;
    }
  }
  // The time between two lists says nothing about how busy the machine is.
  if (word == GENERATION && polls > FEWEST_POLLS) polls >>= 1;
  // Announces the sleeper before the word is read again, so that a thread that changes the word after
  // that wakes it.
  atomic.add<i32>(SLEEPERS, 1);
  if (leads) {
    sleepWatching(word, seen);
  } else {
    while (atomic.load<i32>(word) == seen) atomic.wait<i32>(word, seen, -1);
  }
  atomic.sub<i32>(SLEEPERS, 1);
}

/** Wakes the threads that sleep on a word, which must have changed already. */
function wake(word: usize): void {
  if (atomic.load<i32>(SLEEPERS) != 0) atomic.notify(word, -1);
}

/**
 * Sleeps while the word is `seen`. Traps if a helper has failed, or if the helpers make no progress:
 * one that the browser has ended will never arrive.
 */
function sleepWatching(word: usize, seen: i32): void {
  let before = progress();
  let looks = 0;
  while (atomic.load<i32>(word) == seen) {
    if (failure() != 0) unreachable();
    if (atomic.wait<i32>(word, seen, LOOK_EVERY) != TIMED_OUT) continue;
    const now = progress();
    looks = now == before ? looks + 1 : 0;
    before = now;
    if (looks == LOOKS) {
      atomic.store<i32>(FAILURE, STUCK);
      unreachable();
    }
  }
}

/** A number that grows with every chunk claimed and every thread arrived, between two barriers. */
function progress(): i32 {
  return atomic.load<i32>(NEXT) + atomic.load<i32>(ARRIVED);
}

/**
 * Some 30 cycles of dependent multiplications, as WebAssembly has no pause instruction: polling
 * alone would take most of a core from the thread that shares it. Returns 1, since a power of an odd
 * number is odd; compilers do not know that, and keep the multiplications.
 */
function pause(poll: i32): i32 {
  let x = (poll << 1) | 1;
  x *= x;
  x *= x;
  x *= x;
  x *= x;
  x *= x;
  x *= x;
  x *= x;
  x *= x;
  return x & 1;
}

/**
 * Runs the commands from `begin` to `end`: each is the table index of a kernel, the command's
 * length in bytes, and the kernel's arguments.
 */
function walk(begin: usize, end: usize): void {
  let command = begin;
  while (command < end) {
    // Read before the barrier: after the last one, the leader may write another list here.
    const next = command + load<u32>(command, 4);
    call_indirect<void>(load<u32>(command), command + 8);
    barrier();
    command = next;
  }
}

/**
 * Runs a list with all threads. Called by the leader; returns when all of them are done. Traps if
 * they cannot go on: `failure` then says why, and the memory is in no defined state.
 */
export function run(begin: usize, end: usize): void {
  if (begin == end) return;
  if (ASC_FEATURE_THREADS && threadCount > 1) publish(begin, end);
  walk(begin, end);
}

/** Ends `serve` in all helpers. Called by the leader; does not wait for them. */
export function stop(): void {
  if (ASC_FEATURE_THREADS && threadCount > 1) publish(0, 0);
}

function publish(begin: usize, end: usize): void {
  leads = true;
  atomic.store<usize>(LIST_BEGIN, begin);
  atomic.store<usize>(LIST_END, end);
  atomic.add<i32>(LISTS, 1);
  wake(LISTS);
}

/** Number of lists published so far: where a helper that is started now begins. */
export function published(): i32 {
  if (!ASC_FEATURE_THREADS) return 0;
  return atomic.load<i32>(LISTS);
}

/**
 * Runs every list that the leader publishes after the first `seen`. Called by a helper; returns when
 * it is stopped.
 */
export function serve(seen: i32): void {
  if (!ASC_FEATURE_THREADS) return;
  let list = seen;
  while (true) {
    waitWhile(LISTS, list);
    list++;
    const begin = atomic.load<usize>(LIST_BEGIN);
    const end = atomic.load<usize>(LIST_END);
    if (begin == end) return;
    walk(begin, end);
  }
}

/** Why the threads cannot go on: STUCK, or what a helper said to `fail`; 0 while they can. */
export function failure(): i32 {
  if (!ASC_FEATURE_THREADS) return 0;
  return atomic.load<i32>(FAILURE);
}

/** Ends the leader's list with this reason. Called by a helper whose kernel has trapped. */
export function fail(reason: i32): void {
  if (!ASC_FEATURE_THREADS) return;
  atomic.store<i32>(FAILURE, reason);
  // The leader may be about to sleep and miss this; it looks again after LOOK_EVERY.
  atomic.notify(GENERATION, -1);
}
