/** Time of each kernel of a program, from timestamp queries or from the clock of the processor. */
import { partsFor } from './pace.ts';
import type { Program } from './program_types.ts';
import { onProcessor, webgpu } from './state.ts';
import { Timestamps } from './timestamps.ts';

/** Time of all dispatches of one kernel in one run of a program. */
export interface KernelTime {
  program: string;
  kernel: string;
  /** Number of dispatches. */
  count: number;
  /** Milliseconds of all of them together. */
  ms: number;
}

/**
 * Runs the programs in order `repeats` times, each dispatch in a pass of its own between two
 * timestamps, and averages over the repeats. Null if the GPU has no `timestamp-query` or the
 * programs run op by op. `ms`: the time of one run, if known.
 *
 * - A pass a dispatch costs some microseconds that the single pass of a real step does not, so the
 *   sum exceeds the time of a step; only the shares are meaningful.
 * - A single short pass is measured badly (the GPU's clock falls while idle, and browsers round
 *   timestamps to 0.1 ms by default), so all repeats are one submit unless that would be too long.
 * - Programs that write in place do so `repeats` times: run this inside `keepingState`.
 * - Boundaries are not applied.
 */
export async function profilePrograms(
  programs: readonly Program[],
  repeats: number,
  ms = 0,
): Promise<KernelTime[] | null> {
  const dispatches = programs.flatMap((program) =>
    program.kernels.map((kernel, index) => ({ program, kernel, index })),
  );
  if (onProcessor()) return profileByClock(dispatches, repeats);
  const { device } = webgpu();
  const replayed = programs.every((program) => program.encode);
  if (!device.features.has('timestamp-query') || dispatches.length === 0 || !replayed) return null;
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
    return sumByKernel(dispatches, await timestamps.read(), repeats);
  } finally {
    timestamps.destroy();
  }
}

interface ProfiledDispatch {
  program: Program;
  kernel: string;
  index: number;
}

/** One call of the engine a command, which costs about a microsecond that a replay does not. */
function profileByClock(
  dispatches: readonly ProfiledDispatch[],
  repeats: number,
): KernelTime[] | null {
  if (dispatches.length === 0 || dispatches.some(({ program }) => !program.execute)) return null;
  const nanoseconds: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++)
    for (const { program, index } of dispatches) {
      const begin = performance.now();
      program.execute?.(index, index + 1);
      nanoseconds.push(1e6 * (performance.now() - begin));
    }
  return sumByKernel(dispatches, nanoseconds, repeats);
}

/** Longest first. */
function sumByKernel(
  dispatches: readonly { program: Program; kernel: string }[],
  nanoseconds: readonly number[],
  repeats: number,
): KernelTime[] {
  const times = new Map<string, KernelTime>();
  dispatches.forEach(({ program: { name: program }, kernel }, index) => {
    const key = `${program}/${kernel}`;
    const time = times.get(key) ?? { program, kernel, count: 0, ms: 0 };
    times.set(key, time);
    time.count++;
    for (let repeat = 0; repeat < repeats; repeat++) {
      // Negative times are ignored, as the WebGPU specification advises.
      const measured = nanoseconds[repeat * dispatches.length + index] ?? 0;
      time.ms += Math.max(0, measured) / 1e6 / repeats;
    }
  });
  return [...times.values()].sort((a, b) => b.ms - a.ms);
}
