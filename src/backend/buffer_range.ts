/** Ranges of buffers: of the GPU, or of the engine on the processor. */
import type { Block } from '../processor/index.ts';

export type DeviceBuffer = GPUBuffer | Block;

export interface BufferRange {
  buffer: DeviceBuffer;
  offset: number;
  size: number;
}

/** A range of a GPU buffer. tfjs binds it as it is, so a tensor can be a view of one. */
export interface GpuRange extends BufferRange {
  buffer: GPUBuffer;
}

/** Throws if the range is not on the GPU. */
export function gpuRange({ buffer, offset, size }: BufferRange): GpuRange {
  return { buffer: gpuBuffer(buffer), offset, size };
}

/** Throws if the buffer is not on the GPU. */
export function gpuBuffer(buffer: DeviceBuffer): GPUBuffer {
  if ('address' in buffer) throw new TypeError('This buffer is not on the GPU.');
  return buffer;
}

/** The address of a range in the engine's memory. Throws if the range is on the GPU. */
export function addressOf({ buffer, offset }: BufferRange): number {
  if (!('address' in buffer)) throw new TypeError('This buffer is not on the processor.');
  return buffer.address + offset;
}
