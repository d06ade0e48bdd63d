/**
 * How long programs take on the GPU, for choosing between kernels: timestamps where there are any,
 * else the clock on the wall.
 */
import type { Program } from './program.ts';
import { webgpu } from './state.ts';
import { submit } from './submit.ts';

/** One entry of a measurement: the program runs `repeats` times in a row. */
export interface Timed {
  program: Program;
  repeats: number;
}

/**
 * Milliseconds of one run of each, from one submit where the device has timestamp queries; else
 * each is submitted by itself and waited for, and the wait is a part of its time. Programs that
 * work in place do it. At most 2048 entries.
 */
export async function timePrograms(entries: readonly Timed[]): Promise<number[]> {
  const { device } = webgpu();
  return device.features.has('timestamp-query')
    ? byTimestamps(device, entries)
    : byClock(device, entries);
}

async function byTimestamps(device: GPUDevice, entries: readonly Timed[]): Promise<number[]> {
  const count = 2 * entries.length;
  const bytes = 8 * count;
  const querySet = device.createQuerySet({ type: 'timestamp', count });
  const resolved = device.createBuffer({
    label: 'timestamps',
    size: bytes,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const staging = device.createBuffer({
    label: 'timestamps read back',
    size: bytes,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  try {
    const encoder = device.createCommandEncoder();
    entries.forEach(({ program, repeats }, i) => {
      const pass = encoder.beginComputePass({
        timestampWrites: {
          querySet,
          beginningOfPassWriteIndex: 2 * i,
          endOfPassWriteIndex: 2 * i + 1,
        },
      });
      for (let r = 0; r < repeats; r++) program.encode?.(pass);
      pass.end();
    });
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange().slice(0));
    // A clock that is set back in between gives a negative time, which says nothing.
    return entries.map(({ repeats }, i) => {
      const ns = Number((stamps[2 * i + 1] ?? 0n) - (stamps[2 * i] ?? 0n));
      return ns > 0 ? ns / 1e6 / repeats : NaN;
    });
  } finally {
    querySet.destroy();
    resolved.destroy();
    staging.destroy();
  }
}

async function byClock(device: GPUDevice, entries: readonly Timed[]): Promise<number[]> {
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
