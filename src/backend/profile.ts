/** GPU time of the dispatches of programs, from timestamp queries. */
import type { Program } from './program_types.ts';
import { webgpu } from './state.ts';
import { partsFor, submit } from './submit.ts';

/**
 * GPU time of one run of a program, by kernel name: `count` dispatches, `ms` all of them together.
 */
export interface KernelTime {
  program: string;
  kernel: string;
  count: number;
  ms: number;
}

/**
 * What programs that work in place would change is as before once `fn` is done: copied on the GPU,
 * and copied back, bit for bit.
 */
export async function keepingState<T>(
  programs: readonly Program[],
  fn: () => Promise<T>,
): Promise<T> {
  const { device } = webgpu();
  const buffers = [...new Set(programs.flatMap((p) => p.inPlace))];
  device.pushErrorScope('out-of-memory');
  const copies = buffers.map((b) =>
    device.createBuffer({
      label: 'kept state',
      size: b.size,
      usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    }),
  );
  try {
    if (await device.popErrorScope())
      throw new Error('The GPU has no memory left for a copy of the weights and of the optimizer.');
    const copy = (from: readonly GPUBuffer[], to: readonly GPUBuffer[]): void => {
      const encoder = device.createCommandEncoder();
      from.forEach((b, i) => {
        const target = to[i];
        if (target) encoder.copyBufferToBuffer(b, 0, target, 0, b.size);
      });
      device.queue.submit([encoder.finish()]);
    };
    copy(buffers, copies);
    try {
      return await fn();
    } finally {
      copy(copies, buffers);
    }
  } finally {
    for (const c of copies) c.destroy();
  }
}

/**
 * Milliseconds of one run of the programs, by the clock on the wall: `repeats` of them in a row.
 * They work in place, as `keepingState` puts right.
 */
export async function timeOnWall(programs: readonly Program[], repeats: number): Promise<number> {
  const { queue } = webgpu().device;
  await queue.onSubmittedWorkDone();
  const begin = performance.now();
  for (let r = 0; r < repeats; r++) submit(programs);
  await queue.onSubmittedWorkDone();
  return (performance.now() - begin) / repeats;
}

/**
 * Runs the programs in order `repeats` times, each dispatch in a pass of its own between two
 * timestamps, and averages.
 *
 * Null where the device has no `timestamp-query` or the programs are not replayed. What to know
 * when reading the figures:
 * - A pass a dispatch costs some microseconds that the one pass of a real step doesn't have, so the
 *   sum is above the step's
 *   time; the shares are what counts. A single short pass says little (the card's clock falls while it waits, and browsers round
 *   timestamps to 0.1 ms unless told otherwise), which is why all repeats go into one submit, but where `ms`, the time of
 *   one run, says that it would be too long.
 * - Programs that work in place run `repeats` times: without `keepingState`, weights are worth
 *   nothing after this.
 */
export async function profilePrograms(
  programs: readonly Program[],
  repeats: number,
  ms = 0,
): Promise<KernelTime[] | null> {
  const { device } = webgpu();
  const kernels = programs.flatMap((p) => p.kernels.map((kernel) => ({ program: p.name, kernel })));
  if (
    !device.features.has('timestamp-query') ||
    kernels.length === 0 ||
    programs.some((p) => !p.encode)
  )
    return null;
  const buffers = timestampBuffers(device, kernels.length, repeats);
  const all = kernels.length * repeats;
  const most = Math.ceil(all / partsFor(ms * repeats, all));
  try {
    let encoder = device.createCommandEncoder();
    let encoded = 0;
    const flush = (): void => {
      device.queue.submit([encoder.finish()]);
      encoder = device.createCommandEncoder();
      encoded = 0;
    };
    for (let r = 0; r < repeats; r++) {
      let at = 0;
      for (const p of programs)
        for (let i = 0; i < p.kernels.length; i++, at++) {
          const { querySet, index } = buffers.query(at);
          const pass = encoder.beginComputePass({
            timestampWrites: {
              querySet,
              beginningOfPassWriteIndex: index,
              endOfPassWriteIndex: index + 1,
            },
          });
          p.encode?.(pass, i, i + 1);
          pass.end();
          if (++encoded === most) flush();
        }
      buffers.resolve(encoder, r);
    }
    flush();
    return byKernel(kernels, await buffers.read(), repeats);
  } finally {
    buffers.destroy();
  }
}

function byKernel(
  kernels: readonly { program: string; kernel: string }[],
  stamps: BigUint64Array,
  repeats: number,
): KernelTime[] {
  const times = new Map<string, KernelTime>();
  kernels.forEach(({ program, kernel }, k) => {
    const key = `${program}/${kernel}`;
    const time = times.get(key) ?? { program, kernel, count: 0, ms: 0 };
    times.set(key, time);
    time.count++;
    for (let r = 0; r < repeats; r++) {
      const at = 2 * (r * kernels.length + k);
      const nanoseconds = Number((stamps[at + 1] ?? 0n) - (stamps[at] ?? 0n));
      // A clock that is set back in between gives a negative time: left out, as the specification
      // advises.
      time.ms += Math.max(0, nanoseconds) / 1e6 / repeats;
    }
  });
  return [...times.values()].sort((a, b) => b.ms - a.ms);
}

/** Query sets hold 4096 timestamps at most, so a long program takes several. */
const PAIRS = 2048;

/**
 * Two timestamps for each of `n` dispatches, kept apart for each repeat: the sets are used again
 * once they are resolved.
 */
function timestampBuffers(device: GPUDevice, n: number, repeats: number) {
  const sets = Array.from({ length: Math.ceil(n / PAIRS) }, (_, i) =>
    device.createQuerySet({ type: 'timestamp', count: 2 * Math.min(PAIRS, n - i * PAIRS) }),
  );
  const bytes = 16 * n * repeats;
  // Resolving starts at multiples of 256 bytes; each set is resolved there, then copied to where
  // its repeat stands.
  const resolved = sets.map((s) =>
    device.createBuffer({
      label: 'timestamps',
      size: 8 * s.count,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    }),
  );
  const staging = device.createBuffer({
    label: 'timestamps read back',
    size: bytes,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  return {
    query(dispatch: number): { querySet: GPUQuerySet; index: number } {
      const querySet = sets[Math.floor(dispatch / PAIRS)];
      if (!querySet) throw new RangeError(`No timestamps for dispatch ${dispatch}.`);
      return { querySet, index: 2 * (dispatch % PAIRS) };
    },
    resolve(encoder: GPUCommandEncoder, repeat: number): void {
      sets.forEach((s, i) => {
        const buffer = resolved[i];
        if (!buffer) return;
        encoder.resolveQuerySet(s, 0, s.count, buffer, 0);
        encoder.copyBufferToBuffer(buffer, 0, staging, 16 * (n * repeat + i * PAIRS), 8 * s.count);
      });
    },
    async read(): Promise<BigUint64Array> {
      await staging.mapAsync(GPUMapMode.READ);
      return new BigUint64Array(staging.getMappedRange().slice(0));
    },
    destroy(): void {
      for (const s of sets) s.destroy();
      for (const b of [...resolved, staging]) b.destroy();
    },
  };
}
