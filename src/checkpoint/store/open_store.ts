/** Opens the library of runs of this browser. Worker only. */
import { CheckpointError } from '../error.ts';
import { MemoryFileSystem, type FileSystem } from './file_system.ts';
import { MemoryLocks, WebLocks, type Locks } from './locks.ts';
import { OpfsFileSystem } from './opfs.ts';
import { RunStore } from './run_store.ts';

/**
 * Opens the library in the origin-private file system. Never throws: if the browser refuses storage,
 * runs live in memory and `store.refused` says why.
 */
export async function openRunStore(folder = 'terrarium'): Promise<RunStore> {
  const locks = webLocks() ?? new MemoryLocks();
  let fs: FileSystem;
  try {
    fs = await OpfsFileSystem.open(folder);
  } catch (error) {
    return new RunStore(new MemoryFileSystem(), locks, refusal(error));
  }
  return new RunStore(fs, locks, null);
}

function refusal(error: unknown): CheckpointError {
  if (error instanceof CheckpointError) return error;
  return new CheckpointError(
    'storage_failed',
    'The browser could not open its storage.',
    'Export the run to a file before you close the tab.',
    { cause: error },
  );
}

/** Web Locks exist only in secure contexts. */
const webLocks = (): Locks | null =>
  typeof navigator !== 'undefined' && 'locks' in navigator ? new WebLocks(navigator.locks) : null;
