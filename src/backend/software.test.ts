import { expect, it } from 'vitest';
import { isSoftwareAdapter, isSoftwareRenderer } from './software.ts';

it.each([
  [{ vendor: 'google', architecture: 'swiftshader' }, true],
  [{ vendor: 'mesa', description: 'llvmpipe (LLVM 19.1.7, 256 bits)' }, true],
  [{ vendor: 'microsoft', description: 'Microsoft Basic Render Driver' }, true],
  [{ vendor: 'intel', isFallbackAdapter: true }, true],
  [{ vendor: 'nvidia', architecture: 'ampere', isFallbackAdapter: false }, false],
  [{}, false],
])('an adapter that computes on the CPU is known by what it says: %o is %s', (info, software) => {
  expect(isSoftwareAdapter(info)).toBe(software);
});

it('so is a WebGL renderer', () => {
  expect(isSoftwareRenderer('ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))')).toBe(true);
  expect(isSoftwareRenderer('ANGLE (Apple, ANGLE Metal Renderer: Apple M2)')).toBe(false);
});
