/**
 * The origin-private file system of the browser, written through synchronous access handles. These
 * exist only in workers; a write is on disk when `flush` returns, and a handle excludes all other
 * writers of the file.
 */
import { randomId } from '../../common/index.ts';
import { CheckpointError } from '../error.ts';
import { storageFull, type FileSystem, type Usage } from './file_system.ts';

export class OpfsFileSystem implements FileSystem {
  readonly #name: string;
  #root: FileSystemDirectoryHandle;

  private constructor(name: string, root: FileSystemDirectoryHandle) {
    this.#name = name;
    this.#root = root;
  }

  /**
   * Opens the folder, and writes and removes a file to check that it is usable. Throws
   * `storage_refused`.
   */
  static async open(folder: string): Promise<OpfsFileSystem> {
    try {
      const fs = new OpfsFileSystem(folder, await rootFolder(folder));
      await fs.#probe(`probe-${randomId()}`);
      return fs;
    } catch (cause) {
      throw storageRefused(cause);
    }
  }

  /** A full storage is still usable: its runs can be opened, exported and deleted. */
  async #probe(path: string): Promise<void> {
    try {
      await this.write(path, Uint8Array.of(1));
    } catch (error) {
      if (!(error instanceof CheckpointError && error.code === 'storage_full')) throw error;
    }
    await this.remove(path);
  }

  async renew(): Promise<void> {
    this.#root = await guarded(() => rootFolder(this.#name));
  }

  async read(path: string): Promise<Uint8Array | null> {
    return guarded(async () => {
      const handle = await this.#file(path, false);
      if (!handle) return null;
      // Another tab may remove the file meanwhile.
      return nullIfAbsent(async () => new Uint8Array(await (await handle.getFile()).arrayBuffer()));
    });
  }

  async readTail(path: string, length: number): Promise<Uint8Array | null> {
    return guarded(async () => {
      const handle = await this.#file(path, false);
      if (!handle) return null;
      return nullIfAbsent(async () => {
        const file = await handle.getFile();
        return new Uint8Array(await file.slice(-length).arrayBuffer());
      });
    });
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.#withHandle(path, (handle) => {
      handle.truncate(0);
      writeAll(handle, bytes, 0);
      handle.flush();
    });
  }

  async append(path: string, bytes: Uint8Array): Promise<void> {
    await this.#withHandle(path, (handle) => {
      const size = handle.getSize();
      try {
        writeAll(handle, bytes, size);
        handle.flush();
      } catch (error) {
        // Without this, a repeated append would add the bytes that fitted a second time.
        handle.truncate(size);
        throw error;
      }
    });
  }

  async list(folder: string): Promise<string[]> {
    return guarded(async () => {
      const names: string[] = [];
      const handle = await this.#folder(folder.split('/'), false);
      if (handle) for await (const name of handle.keys()) names.push(name);
      return names;
    });
  }

  async sizes(folder: string): Promise<Map<string, number>> {
    return guarded(async () => {
      const sizes = new Map<string, number>();
      const handle = await this.#folder(folder.split('/'), false);
      if (handle) await addSizes(handle, '', sizes);
      return sizes;
    });
  }

  async remove(path: string): Promise<void> {
    await guarded(async () => {
      const parts = path.split('/');
      const name = parts.pop() ?? '';
      const folder = await this.#folder(parts, false);
      if (folder) await nullIfAbsent(() => folder.removeEntry(name, { recursive: true }));
    });
  }

  async usage(): Promise<Usage> {
    return guarded(async () => {
      const { usage = 0, quota = null } = await navigator.storage.estimate();
      return { used: usage, quota, persistent: await navigator.storage.persisted() };
    });
  }

  async #withHandle(
    path: string,
    work: (handle: FileSystemSyncAccessHandle) => void,
  ): Promise<void> {
    await guarded(async () => {
      const file = await this.#file(path, true);
      if (!file) return;
      const handle = await accessHandle(file);
      try {
        work(handle);
      } finally {
        handle.close();
      }
    });
  }

  async #file(path: string, create: boolean): Promise<FileSystemFileHandle | null> {
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    const folder = await this.#folder(parts, create);
    return folder && nullIfAbsent(() => folder.getFileHandle(name, { create }));
  }

  async #folder(
    parts: readonly string[],
    create: boolean,
  ): Promise<FileSystemDirectoryHandle | null> {
    let handle: FileSystemDirectoryHandle | null = this.#root;
    for (const part of parts) {
      const parent: FileSystemDirectoryHandle = handle;
      handle = await nullIfAbsent(() => parent.getDirectoryHandle(part, { create }));
      if (!handle) return null;
    }
    return handle;
  }
}

/**
 * Adds the sizes of all files below `folder`. A file or folder that another tab removes meanwhile has
 * none.
 */
async function addSizes(
  folder: FileSystemDirectoryHandle,
  prefix: string,
  sizes: Map<string, number>,
): Promise<void> {
  for await (const [name, handle] of folder.entries()) {
    if (handle instanceof FileSystemDirectoryHandle) {
      await nullIfAbsent(() => addSizes(handle, `${prefix}${name}/`, sizes));
    } else if (handle instanceof FileSystemFileHandle) {
      const file = await nullIfAbsent(() => handle.getFile());
      if (file) sizes.set(prefix + name, file.size);
    }
  }
}

async function rootFolder(name: string): Promise<FileSystemDirectoryHandle> {
  const top = await navigator.storage.getDirectory();
  return top.getDirectoryHandle(name, { create: true });
}

/**
 * If the storage is full, some browsers write a part and do not throw. The returned length may then
 * be too short, or an error code: Chromium 156 returns 4294967288, its code -8 as an unsigned number.
 */
function writeAll(handle: FileSystemSyncAccessHandle, bytes: Uint8Array, at: number): void {
  // Views of shared memory cannot be written. None occur here, but the type allows them.
  const unshared =
    bytes.buffer instanceof ArrayBuffer
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      : bytes.slice();
  if (handle.write(unshared, { at }) !== bytes.length) throw storageFull();
}

const HANDLE_TRIES = 20;
const HANDLE_RETRY_MS = 50;

/** The handle of a worker that was just terminated may still block the file for a moment. */
async function accessHandle(file: FileSystemFileHandle): Promise<FileSystemSyncAccessHandle> {
  for (let tries = 1; ; tries++) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (nameOf(error) !== 'NoModificationAllowedError' || tries === HANDLE_TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, HANDLE_RETRY_MS));
    }
  }
}

const nameOf = (error: unknown) => (error instanceof DOMException ? error.name : '');

async function nullIfAbsent<T>(look: () => Promise<T>): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (nameOf(error) === 'NotFoundError') return null;
    throw error;
  }
}

/** Turns errors of the browser into CheckpointErrors. */
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
    'The browser does not let this page store files, as in a private window.',
    'You can train, but export the run to a file before you close the tab, or open the page in an ordinary window.',
    { cause },
  );
