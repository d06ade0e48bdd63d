/** GPUs that are none: drivers that compute on the CPU, far slower than WebAssembly does. */

/** Software renderers of Chromium, Mesa and Windows. */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|lavapipe|basic render/iu;

/** What a WebGPU adapter says about itself. */
export type AdapterInfo = Partial<
  Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description'>
> & { isFallbackAdapter?: boolean };

/** Whether the adapter computes on the CPU. */
export function isSoftwareAdapter(info: AdapterInfo): boolean {
  const { vendor, architecture, device, description } = info;
  if (info.isFallbackAdapter === true) return true;
  return isSoftwareRenderer([vendor, architecture, device, description].join(' '));
}

/** The same for the name of a WebGL renderer. */
export const isSoftwareRenderer = (name: string): boolean => SOFTWARE.test(name);
