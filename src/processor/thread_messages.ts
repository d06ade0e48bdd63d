/** Messages between the leader and a helper thread, which are sent between lists only. */

export type ToHelper =
  /** Answered by `ready`. `scratch`: the address of the thread's own scratch memory. */
  | { type: 'start'; module: WebAssembly.Module; memory: WebAssembly.Memory; scratch: number }
  /**
   * Runs lists with `count` threads, from the one after the first `seen` on, until the leader stops
   * the threads: then answered by `parked`. `spins`: how often the thread polls before it sleeps.
   */
  | { type: 'serve'; count: number; seen: number; spins: number };

export type FromHelper = { type: 'ready' } | { type: 'parked' };

/**
 * How often a thread polls before it sleeps: for about 50 microseconds, the time of a long chunk.
 * Waking a thread takes 5 to 50 microseconds; a thread that polls for longer takes the core from the
 * page.
 */
export const SPINS = 4000;

/**
 * The reason that a helper passes to `fail` when a kernel has trapped. assembly/threads.ts has the
 * other one.
 */
export const TRAPPED = 2;
