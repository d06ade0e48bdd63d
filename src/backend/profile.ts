/** GPU time of the dispatches of programs, from timestamp queries. */
import type { Program } from './program.ts';
import { webgpu } from './state.ts';

/** GPU time of one run of the programs, by kernel name: `count` dispatches, `ms` all of them together. */
export interface KernelTime { kernel: string; count: number; ms: number }

/**
 * Runs the programs in order `repeats` times, each dispatch in a pass of its own between two timestamps, and averages.
 *
 * Null where the device has no `timestamp-query` or the programs are not replayed. What to know when reading the figures:
 * - A pass a dispatch costs some microseconds that the one pass of a real step doesn't have, so the sum is above the step's
 *   time; the shares are what counts. A single short pass says little (the card's clock falls while it waits, and browsers round
 *   timestamps to 0.1 ms unless told otherwise), which is why all repeats go into one submit.
 * - Programs that work in place run `repeats` times: after this, weights and optimizer state are worth nothing.
 */
export async function profilePrograms(programs: readonly Program[], repeats: number): Promise<KernelTime[] | null> {
  const { device } = webgpu(), kernels = programs.flatMap((p) => p.kernels);
  if (!device.features.has('timestamp-query') || kernels.length === 0 || programs.some((p) => !p.encode)) return null;
  const buffers = timestampBuffers(device, kernels.length, repeats);
  try {
    const encoder = device.createCommandEncoder();
    for (let r = 0; r < repeats; r++) {
      let at = 0;
      for (const p of programs) for (let i = 0; i < p.kernels.length; i++, at++) {
        const { querySet, index } = buffers.query(at);
        const pass = encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 } });
        p.encode?.(pass, i, i + 1);
        pass.end();
      }
      buffers.resolve(encoder, r);
    }
    device.queue.submit([encoder.finish()]);
    return byKernel(kernels, await buffers.read(), repeats);
  } finally { buffers.destroy(); }
}

function byKernel(kernels: readonly string[], stamps: BigUint64Array, repeats: number): KernelTime[] {
  const times = new Map<string, KernelTime>();
  kernels.forEach((kernel, k) => {
    const time = times.get(kernel) ?? { kernel, count: 0, ms: 0 };
    times.set(kernel, time);
    time.count++;
    for (let r = 0; r < repeats; r++) {
      const at = 2 * (r * kernels.length + k), nanoseconds = Number((stamps[at + 1] ?? 0n) - (stamps[at] ?? 0n));
      // A clock that is set back in between gives a negative time: left out, as the specification advises.
      time.ms += Math.max(0, nanoseconds) / 1e6 / repeats;
    }
  });
  return [...times.values()].sort((a, b) => b.ms - a.ms);
}

/** Query sets hold 4096 timestamps at most, so a long program takes several. */
const PAIRS = 2048;

/** Two timestamps for each of `n` dispatches, kept apart for each repeat: the sets are used again once they are resolved. */
function timestampBuffers(device: GPUDevice, n: number, repeats: number) {
  const sets = Array.from({ length: Math.ceil(n / PAIRS) }, (_, i) => device.createQuerySet({ type: 'timestamp', count: 2 * Math.min(PAIRS, n - i * PAIRS) }));
  const bytes = 16 * n * repeats;
  // Resolving starts at multiples of 256 bytes; each set is resolved there, then copied to where its repeat stands.
  const resolved = sets.map((s) => device.createBuffer({ label: 'timestamps', size: 8 * s.count, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC }));
  const staging = device.createBuffer({ label: 'timestamps read back', size: bytes, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
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
