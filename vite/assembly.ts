/** Compiles `assembly/` before anything imports its builds. */
import type { Plugin } from 'vite';
import { buildAssembly } from '../scripts/build_assembly.mjs';

export function assembly(): Plugin {
  return { name: 'assembly', buildStart: buildAssembly };
}
