/** How much of a GPU there is, as far as a page may know. */
import { webgpu } from './state.ts';

/**
 * `large`: a discrete card of a known maker, which wants big tiles and many workgroups; `small`: everything else (integrated,
 * phones, software). WebGPU says neither the number of multiprocessors nor whether memory is shared.
 */
export function deviceClass(): 'large' | 'small' {
  const { device } = webgpu(), info: Partial<GPUAdapterInfo> | undefined = device.adapterInfo;
  const maker = info?.vendor ?? '';
  return (maker === 'nvidia' || maker === 'amd') && device.limits.maxComputeWorkgroupStorageSize >= 32768 ? 'large' : 'small';
}
