/** Lets tests in Node start the engine on the processor: builds are read from files. */
import { readFile } from 'node:fs/promises';
import { buildAssembly } from '../../scripts/build_assembly.mjs';
import { setBuildLoader } from '../processor/index.ts';

/** Call it before `startBackend('wasm')`. Compiles `assembly/` if its sources have changed. */
export async function useBuildsFromFiles(): Promise<void> {
  await buildAssembly();
  setBuildLoader(async (name) => {
    const url = new URL(`../../assembly/build/${name}.wasm`, import.meta.url);
    return WebAssembly.compile(await readFile(url));
  });
}
