/** How long programs take, from timestamp queries or from the wall clock. */
import type { Program } from './program_types.ts';
import { onProcessor, webgpu } from './state.ts';
import { submit } from './submit.ts';
import { Timestamps } from './timestamps.ts';

/**
 * Milliseconds of wall time of one run of the programs, averaged over `repeats` consecutive runs.
 * Programs that write in place do so: run this inside `keepingState`.
 */
export async function timeOnWall(programs: readonly Program[], repeats: number): Promise<number> {
  await allDone();
  const begin = performance.now();
  for (let repeat = 0; repeat < repeats; repeat++) submit(programs);
  await allDone();
  return (performance.now() - begin) / repeats;
}

/** Resolves when everything that was submitted is done. */
async function allDone(): Promise<void> {
  if (!onProcessor()) await webgpu().device.queue.onSubmittedWorkDone();
}

/** One measurement: the program runs `repeats` times in a row. */
export interface Timed {
  program: Program;
  repeats: number;
}

/**
 * Milliseconds of one run of each program, for choosing between kernels. With timestamp queries all
 * are one submit, and the result is NaN where the clock was set back. Otherwise each is submitted
 * and awaited by itself, and the wait is part of its time. Programs that write in place do so. At
 * most 2048 entries.
 */
export async function timePrograms(entries: readonly Timed[]): Promise<number[]> {
  const { device } = webgpu();
  return device.features.has('timestamp-query')
    ? timeByTimestamps(device, entries)
    : timeByClock(device, entries);
}

async function timeByTimestamps(device: GPUDevice, entries: readonly Timed[]): Promise<number[]> {
  const timestamps = new Timestamps(device, entries.length);
  try {
    const encoder = device.createCommandEncoder();
    entries.forEach(({ program, repeats }, index) => {
      const pass = encoder.beginComputePass({ timestampWrites: timestamps.writes(index) });
      for (let repeat = 0; repeat < repeats; repeat++) program.encode?.(pass);
      pass.end();
    });
    timestamps.resolve(encoder);
    device.queue.submit([encoder.finish()]);
    const nanoseconds = await timestamps.read();
    return entries.map(({ repeats }, index) => {
      const measured = nanoseconds[index] ?? NaN;
      return measured > 0 ? measured / 1e6 / repeats : NaN;
    });
  } finally {
    timestamps.destroy();
  }
}

async function timeByClock(device: GPUDevice, entries: readonly Timed[]): Promise<number[]> {
  const times: number[] = [];
  for (const { program, repeats } of entries) {
    await device.queue.onSubmittedWorkDone();
    const begin = performance.now();
    submit(Array.from({ length: repeats }, () => program));
    await device.queue.onSubmittedWorkDone();
    times.push((performance.now() - begin) / repeats);
  }
  return times;
}
