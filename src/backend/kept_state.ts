/** Runs programs that write in place without a lasting effect. */
import { addressOf, type DeviceBuffer, gpuBuffer } from './buffer_range.ts';
import type { Program } from './program_types.ts';
import { onProcessor, processor, webgpu } from './state.ts';

/**
 * Runs `fn`, then restores, bit for bit, the buffers that these programs write in place, from
 * copies on the device. Throws if there is no memory for the copies.
 */
export async function keepingState<T>(
  programs: readonly Program[],
  fn: () => Promise<T>,
): Promise<T> {
  const written = [...new Set(programs.flatMap((program) => program.inPlace))];
  if (onProcessor()) return keepingBytes(written, fn);
  const { device } = webgpu();
  const buffers = written.map(gpuBuffer);
  device.pushErrorScope('out-of-memory');
  const copies = buffers.map((buffer) =>
    device.createBuffer({
      label: 'kept state',
      size: buffer.size,
      usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    }),
  );
  try {
    if (await device.popErrorScope())
      throw new Error('The GPU has no memory left for a copy of the weights and of the optimizer.');
    copyAll(device, buffers, copies);
    try {
      return await fn();
    } finally {
      copyAll(device, copies, buffers);
    }
  } finally {
    for (const copy of copies) copy.destroy();
  }
}

async function keepingBytes<T>(buffers: readonly DeviceBuffer[], fn: () => Promise<T>): Promise<T> {
  const { engine } = processor();
  const bytesOf = (buffer: DeviceBuffer): Uint8Array =>
    engine.bytes(addressOf({ buffer, offset: 0, size: buffer.size }), buffer.size);
  const copies = buffers.map((buffer) => bytesOf(buffer).slice());
  try {
    return await fn();
  } finally {
    buffers.forEach((buffer, i) => bytesOf(buffer).set(copies[i] ?? []));
  }
}

function copyAll(
  device: GPUDevice,
  sources: readonly GPUBuffer[],
  targets: readonly GPUBuffer[],
): void {
  const encoder = device.createCommandEncoder();
  sources.forEach((source, i) => {
    const target = targets[i];
    if (target) encoder.copyBufferToBuffer(source, 0, target, 0, source.size);
  });
  device.queue.submit([encoder.finish()]);
}
