/** A range of a GPU buffer. tfjs binds it as it is, so a tensor can be a view of one. */
export interface BufferRange {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}
