/** The uniform structs of a program's commands, in one buffer. */
import type { GpuRange } from './buffer_range.ts';
import type { GpuWork } from './commands.ts';

/**
 * Writes the uniforms of all commands to a buffer that `createBuffer` makes; equal contents are
 * stored once. Returns the range of each command's uniform, or null if it has none.
 */
export function packUniforms(
  device: GPUDevice,
  commands: readonly GpuWork[],
  createBuffer: (size: number) => GPUBuffer,
): (GpuRange | null)[] {
  const align = device.limits.minUniformBufferOffsetAlignment;
  const offsets = new Map<string, number>();
  const contents: { offset: number; data: ArrayBuffer }[] = [];
  let end = 0;
  const places = commands.map(({ uniform }) => {
    if (!uniform) return null;
    const key = new Uint32Array(uniform).join();
    const known = offsets.get(key);
    if (known !== undefined) return { offset: known, size: uniform.byteLength };
    const offset = end;
    offsets.set(key, offset);
    contents.push({ offset, data: uniform });
    end += Math.ceil(uniform.byteLength / align) * align;
    return { offset, size: uniform.byteLength };
  });
  if (end === 0) return places.map(() => null);
  const bytes = new Uint8Array(end);
  for (const { offset, data } of contents) bytes.set(new Uint8Array(data), offset);
  const buffer = createBuffer(end);
  device.queue.writeBuffer(buffer, 0, bytes);
  return places.map((place) => place && { buffer, ...place });
}
