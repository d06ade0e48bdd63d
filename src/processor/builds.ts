/** Downloads and compiles a build of `assembly/`. */
import { MissingPart } from '../common/index.ts';
import plain from '../../assembly/build/plain.wasm?url&no-inline';
import plainThreads from '../../assembly/build/plain_threads.wasm?url&no-inline';
import relaxed from '../../assembly/build/relaxed.wasm?url&no-inline';
import relaxedThreads from '../../assembly/build/relaxed_threads.wasm?url&no-inline';
import type { BuildName } from './features.ts';

const URLS: Record<BuildName, string> = {
  plain,
  plain_threads: plainThreads,
  relaxed,
  relaxed_threads: relaxedThreads,
};

export type BuildLoader = (name: BuildName) => Promise<WebAssembly.Module>;

/** @throws MissingPart if the build cannot be downloaded. */
export const downloadBuild: BuildLoader = async (name) => {
  let bytes: ArrayBuffer;
  try {
    const response = await fetch(URLS[name]);
    if (!response.ok) throw new Error(`The server answered with status ${response.status}.`);
    bytes = await response.arrayBuffer();
  } catch (cause) {
    throw new MissingPart('The code for the processor could not be downloaded.', { cause });
  }
  return WebAssembly.compile(bytes);
};

let load: BuildLoader = downloadBuild;

export function loadBuild(name: BuildName): Promise<WebAssembly.Module> {
  return load(name);
}

/** Replaces `downloadBuild` from now on: tests in Node read files, others choose a build. */
export function setBuildLoader(loader: BuildLoader): void {
  load = loader;
}
