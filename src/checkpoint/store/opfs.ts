/**
 * The origin-private file system of the browser, written through synchronous access handles, which
 * exist in workers alone: a write is on disk when `flush` returns, and a handle shuts every other
 * writer out.
 */
import { CheckpointError } from '../error.ts';
import { storageFull, type FileSystem } from './file_system.ts';

export class OpfsFileSystem implements FileSystem {
  private constructor(private readonly root: FileSystemDirectoryHandle) {}

  /**
   * Opens the folder and proves, by writing and removing a file, that it can be used. Throws
   * `storage_refused` where it cannot.
   */
  static async open(folder: string): Promise<OpfsFileSystem> {
    try {
      const top = await navigator.storage.getDirectory();
      const fs = new OpfsFileSystem(await top.getDirectoryHandle(folder, { create: true }));
      await fs.probe(`probe-${crypto.randomUUID()}`);
      return fs;
    } catch (cause) {
      throw storageRefused(cause);
    }
  }

  /** A full storage is one that can be used: its runs can be opened, exported and deleted. */
  private async probe(path: string): Promise<void> {
    try {
      await this.write(path, Uint8Array.of(1));
    } catch (error) {
      if (!(error instanceof CheckpointError && error.code === 'storage_full')) throw error;
    }
    await this.remove(path);
  }

  async read(path: string): Promise<Uint8Array | null> {
    return guarded(async () => {
      const handle = await this.file(path, false);
      return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    });
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.withHandle(path, (handle) => {
      handle.truncate(0);
      writeAll(handle, bytes, 0);
    });
  }

  async append(path: string, bytes: Uint8Array): Promise<void> {
    await this.withHandle(path, (handle) => writeAll(handle, bytes, handle.getSize()));
  }

  async list(folder: string): Promise<string[]> {
    return guarded(async () => {
      const names: string[] = [];
      const handle = await this.folder(folder.split('/'), false);
      if (handle) for await (const name of handle.keys()) names.push(name);
      return names;
    });
  }

  async remove(path: string): Promise<void> {
    await guarded(async () => {
      const parts = path.split('/');
      const name = parts.pop() ?? '';
      const folder = await this.folder(parts, false);
      await absent(() => folder?.removeEntry(name, { recursive: true }) ?? Promise.resolve());
    });
  }

  async usage(): Promise<{ used: number; quota: number | null; persistent: boolean }> {
    return guarded(async () => {
      const { usage, quota } = await navigator.storage.estimate();
      return {
        used: usage ?? 0,
        quota: quota ?? null,
        persistent: await navigator.storage.persisted(),
      };
    });
  }

  private async withHandle(
    path: string,
    work: (handle: FileSystemSyncAccessHandle) => void,
  ): Promise<void> {
    await guarded(async () => {
      const file = await this.file(path, true);
      if (!file) return;
      const handle = await soleHandle(file);
      try {
        work(handle);
        handle.flush();
      } finally {
        handle.close();
      }
    });
  }

  private async file(path: string, create: boolean): Promise<FileSystemFileHandle | null> {
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    const folder = await this.folder(parts, create);
    return folder && absent(() => folder.getFileHandle(name, { create }));
  }

  private async folder(
    parts: readonly string[],
    create: boolean,
  ): Promise<FileSystemDirectoryHandle | null> {
    let handle: FileSystemDirectoryHandle | null = this.root;
    for (const part of parts) {
      const parent: FileSystemDirectoryHandle = handle;
      handle = await absent(() => parent.getDirectoryHandle(part, { create }));
      if (!handle) return null;
    }
    return handle;
  }
}

/** Some browsers write less than they are given when the disk fills up, and do not throw. */
function writeAll(handle: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  // A view of shared memory cannot be written; nothing here is shared, and the type cannot know.
  const written = handle.write(
    bytes.buffer instanceof ArrayBuffer
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      : bytes.slice(),
    { at },
  );
  if (written < bytes.length) throw storageFull();
}

/** A handle of a worker that was ended a moment ago may still be in the way. */
async function soleHandle(file: FileSystemFileHandle): Promise<FileSystemSyncAccessHandle> {
  for (let tries = 1; ; tries++) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (nameOf(error) !== 'NoModificationAllowedError' || tries === 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const nameOf = (error: unknown) => (error instanceof DOMException ? error.name : '');

async function absent<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (nameOf(error) === 'NotFoundError') return null;
    throw error;
  }
}

async function guarded<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof CheckpointError ? error : storageError(error);
  }
}

function storageError(cause: unknown): CheckpointError {
  switch (nameOf(cause)) {
    case 'QuotaExceededError':
      return storageFull(cause);
    case 'SecurityError':
    case 'NotAllowedError':
      return storageRefused(cause);
    case 'NoModificationAllowedError':
    case 'InvalidStateError':
    case 'NotReadableError':
      return new CheckpointError(
        'storage_busy',
        'Another tab is writing to the same saved run.',
        'Close the other tab, or wait a moment and try again.',
        { cause },
      );
    default:
      return new CheckpointError(
        'storage_failed',
        `The browser could not use its storage (${cause instanceof Error ? cause.message : String(cause)}).`,
        'Export the run to a file, then reload the page.',
        { cause },
      );
  }
}

const storageRefused = (cause: unknown) =>
  new CheckpointError(
    'storage_refused',
    'The browser does not let this page keep files, as in a private window.',
    'You can train, but export the run to a file before you close the tab; or open the page in an ordinary window.',
    { cause },
  );
