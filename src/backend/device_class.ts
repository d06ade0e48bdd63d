/** What a page can learn about the size and the kind of the GPU. */
import { isSoftwareAdapter } from './software.ts';
import { webgpu } from './state.ts';

function adapterInfo(): Partial<GPUAdapterInfo> {
  return webgpu().device.adapterInfo ?? {};
}

/**
 * `large`: a discrete card of a known vendor, which needs large tiles and many workgroups; `small`:
 * everything else (integrated, phones, software). WebGPU reports neither the number of
 * multiprocessors nor whether memory is shared.
 */
export function deviceClass(): 'large' | 'small' {
  const vendor = adapterInfo().vendor ?? '';
  const { maxComputeWorkgroupStorageSize } = webgpu().device.limits;
  const discrete = vendor === 'nvidia' || vendor === 'amd';
  return discrete && maxComputeWorkgroupStorageSize >= 32768 ? 'large' : 'small';
}

/**
 * Whether the adapter runs on the CPU: tuning for it is pointless, and it compiles kernels slowly.
 */
export function isSoftware(): boolean {
  return isSoftwareAdapter(adapterInfo());
}

/**
 * Whether the device has subgroup matrices and its subgroups have 32 threads, which our kernels
 * rely on.
 */
export function subgroupMatricesOffered(): boolean {
  const { features } = webgpu().device;
  const { subgroupMinSize, subgroupMaxSize } = adapterInfo();
  const needed = ['chromium-experimental-subgroup-matrix', 'shader-f16', 'subgroups'];
  return (
    needed.every((feature) => features.has(feature)) &&
    subgroupMinSize === 32 &&
    subgroupMaxSize === 32
  );
}
