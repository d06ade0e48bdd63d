/**
 * Time of each kernel of a program: on the GPU from timestamp queries, on the processor from the
 * clock.
 */
import { partsFor } from './pace.ts';
import type { Program } from './program_types.ts';
import { onProcessor, webgpu } from './state.ts';
import { Timestamps } from './timestamps.ts';

/** Time of all commands of one kernel in one run of a program. */
export interface KernelTime {
  program: string;
  kernel: string;
  /** Number of commands. */
  count: number;
  /** Milliseconds of all of them together. */
  ms: number;
}

/**
 * Runs the programs in order `repeats` times, each command by itself, and averages over the repeats.
 * Null if the programs run op by op, or if the GPU has no `timestamp-query`. `ms`: the time of one
 * run, if known. Programs that write in place do so `repeats` times: run this inside `keepingState`.
 * Boundaries are not applied.
 */
export async function profilePrograms(
  programs: readonly Program[],
  repeats: number,
  ms = 0,
): Promise<KernelTime[] | null> {
  const commands = programs.flatMap((program) =>
    program.kernels.map((kernel, index) => ({ program, kernel, index })),
  );
  const replayed = programs.every(({ encode, execute }) => encode ?? execute);
  if (commands.length === 0 || !replayed) return null;
  const nanoseconds = onProcessor()
    ? timeByClock(commands, repeats)
    : await timeByTimestamps(commands, repeats, ms);
  return nanoseconds && sumByKernel(commands, nanoseconds, repeats);
}

/** Command `index` of a program. */
interface TimedCommand {
  program: Program;
  kernel: string;
  index: number;
}

/**
 * Nanoseconds of each command, run after run. Every reading of the clock ends one command and begins
 * the next, so that the rounding of the clock (up to 0.1 ms) cancels in the sums.
 */
function timeByClock(commands: readonly TimedCommand[], repeats: number): number[] {
  const nanoseconds: number[] = [];
  let before = performance.now();
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const { program, index } of commands) {
      program.execute?.(index, index + 1);
      const after = performance.now();
      nanoseconds.push(1e6 * (after - before));
      before = after;
    }
  return nanoseconds;
}

/**
 * The same on the GPU, with each dispatch in a pass of its own between two timestamps. Null if the
 * device has no `timestamp-query`.
 *
 * - A pass a dispatch costs some microseconds that the single pass of a real step does not, so the
 *   sum exceeds the time of a step; only the shares are meaningful.
 * - A single short pass is measured badly (the GPU's clock falls while idle, and browsers round
 *   timestamps to 0.1 ms by default), so all repeats are one submit unless that would be too long.
 */
async function timeByTimestamps(
  dispatches: readonly TimedCommand[],
  repeats: number,
  ms: number,
): Promise<number[] | null> {
  const { device } = webgpu();
  if (!device.features.has('timestamp-query')) return null;
  const timestamps = new Timestamps(device, dispatches.length, repeats);
  const total = dispatches.length * repeats;
  const most = Math.ceil(total / partsFor(ms * repeats, total));
  try {
    let encoder = device.createCommandEncoder();
    let encoded = 0;
    for (let repeat = 0; repeat < repeats; repeat++) {
      dispatches.forEach(({ program, index }, i) => {
        const pass = encoder.beginComputePass({ timestampWrites: timestamps.writes(i) });
        program.encode?.(pass, index, index + 1);
        pass.end();
        if (++encoded < most) return;
        device.queue.submit([encoder.finish()]);
        encoder = device.createCommandEncoder();
        encoded = 0;
      });
      timestamps.resolve(encoder, repeat);
    }
    device.queue.submit([encoder.finish()]);
    return await timestamps.read();
  } finally {
    timestamps.destroy();
  }
}

/** Longest first. */
function sumByKernel(
  commands: readonly TimedCommand[],
  nanoseconds: readonly number[],
  repeats: number,
): KernelTime[] {
  const times = new Map<string, KernelTime>();
  commands.forEach(({ program: { name: program }, kernel }, index) => {
    const key = `${program}/${kernel}`;
    const time = times.get(key) ?? { program, kernel, count: 0, ms: 0 };
    times.set(key, time);
    time.count++;
    for (let repeat = 0; repeat < repeats; repeat++) {
      // Negative times are ignored, as the WebGPU specification advises.
      const measured = nanoseconds[repeat * commands.length + index] ?? 0;
      time.ms += Math.max(0, measured) / 1e6 / repeats;
    }
  });
  return [...times.values()].sort((a, b) => b.ms - a.ms);
}
