/** The engine on the processor for tests in Node, which reads its builds from files. */
import { readFile } from 'node:fs/promises';
import { buildAssembly } from '../../scripts/build_assembly.mjs';
import { setBuildLoader } from '../processor/index.ts';
import { startTested } from './start_once.ts';

async function loadBuildsFromFiles(): Promise<void> {
  await buildAssembly();
  setBuildLoader(async (name) => {
    const url = new URL(`../../assembly/build/${name}.wasm`, import.meta.url);
    return WebAssembly.compile(await readFile(url));
  });
}

/**
 * Compiles `assembly/` if its sources have changed, and makes the engine load its builds from files.
 * Call it before a test that starts the engine itself; `startEngine` does both.
 */
export const useBuildsFromFiles = loadBuildsFromFiles;

/** Starts the engine for tests in Node: pass it to `beforeAll`. */
export async function startEngine(): Promise<void> {
  await loadBuildsFromFiles();
  await startTested('processor');
}
