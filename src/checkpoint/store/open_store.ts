/**
 * The store of this browser: OPFS where the page may use it, else memory, and then it says why.
 * Worker only.
 */
import { CheckpointError } from '../error.ts';
import { MemoryFileSystem, type FileSystem } from './file_system.ts';
import { MemoryLocks, WebLocks, type Locks } from './locks.ts';
import { OpfsFileSystem } from './opfs.ts';
import { RunStore } from './run_store.ts';

/**
 * Never throws: where storage is refused, runs live in memory and `store.refused` holds the
 * sentence for the page.
 */
export async function openRunStore(folder = 'terrarium'): Promise<RunStore> {
  let fs: FileSystem;
  let refused: CheckpointError | null = null;
  try {
    fs = await OpfsFileSystem.open(folder);
  } catch (error) {
    refused =
      error instanceof CheckpointError
        ? error
        : new CheckpointError(
            'storage_failed',
            'The browser could not open its storage.',
            'Export the run to a file before you close the tab.',
            { cause: error },
          );
    fs = new MemoryFileSystem();
  }
  return new RunStore(fs, webLocks() ?? new MemoryLocks(), refused);
}

/** Web Locks exist in secure contexts alone. */
const webLocks = (): Locks | null =>
  typeof navigator !== 'undefined' && 'locks' in navigator ? new WebLocks(navigator.locks) : null;
