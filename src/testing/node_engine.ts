/** Lets tests in Node start the engine on the processor: builds are read from files. */
import { readFile } from 'node:fs/promises';
import { buildAssembly } from '../../scripts/build_assembly.mjs';
import { startBackend } from '../backend/index.ts';
import { setBuildLoader } from '../processor/index.ts';

async function readBuilds(): Promise<void> {
  await buildAssembly();
  setBuildLoader(async (name) => {
    const url = new URL(`../../assembly/build/${name}.wasm`, import.meta.url);
    return WebAssembly.compile(await readFile(url));
  });
}

/** Call it before `startBackend('wasm')`. Compiles `assembly/` if its sources have changed. */
export const useBuildsFromFiles = readBuilds;

/** Starts the engine on the processor, for `beforeAll`. */
export async function startEngine(): Promise<void> {
  await readBuilds();
  await startBackend('wasm');
}
