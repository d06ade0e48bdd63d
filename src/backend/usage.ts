/**
 * Buffer usages. Functions, because browsers without WebGPU, which load these modules too, have no
 * `GPUBufferUsage`.
 */

/** Bound to kernels as storage, and copied from and to. */
export function storageUsage(): GPUBufferUsageFlags {
  return GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
}

/** Copied to, then mapped and read by JavaScript. */
export function readbackUsage(): GPUBufferUsageFlags {
  return GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ;
}

/** Resolved from a query set, then copied. */
export function queryUsage(): GPUBufferUsageFlags {
  return GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
}
