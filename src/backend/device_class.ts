/** How much of a GPU there is, as far as a page may know. */
import { webgpu } from './state.ts';

const info = (): Partial<GPUAdapterInfo> => webgpu().device.adapterInfo ?? {};

/**
 * `large`: a discrete card of a known maker, which wants big tiles and many workgroups; `small`:
 * everything else (integrated, phones, software). WebGPU says neither the number of multiprocessors
 * nor whether memory is shared.
 */
export function deviceClass(): 'large' | 'small' {
  const maker = info().vendor ?? '';
  return (maker === 'nvidia' || maker === 'amd') &&
    webgpu().device.limits.maxComputeWorkgroupStorageSize >= 32768
    ? 'large'
    : 'small';
}

/**
 * A GPU made of processor time: there is no use in tuning for it, and compiling kernels takes long.
 */
export const isSoftware = (): boolean =>
  /swiftshader|llvmpipe|basic render/iu.test(
    `${info().architecture ?? ''} ${info().description ?? ''} ${info().device ?? ''}`,
  );

/**
 * Whether the device has subgroup matrices, and subgroups of 32 threads, which our kernels count
 * on.
 */
export function subgroupMatricesOffered(): boolean {
  const { features } = webgpu().device;
  const { subgroupMinSize, subgroupMaxSize } = info();
  return (
    ['chromium-experimental-subgroup-matrix', 'shader-f16', 'subgroups'].every((f) =>
      features.has(f),
    ) &&
    subgroupMinSize === 32 &&
    subgroupMaxSize === 32
  );
}
