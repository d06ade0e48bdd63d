/** What the store of runs needs of a place to keep files, and one such place in memory. */
import { CheckpointError } from '../error.ts';

/**
 * Files by path ('runs/1/metrics.jsonl'). Every method throws CheckpointError alone (`storage_*`).
 */
export interface FileSystem {
  /** The whole file, or null where there is none. */
  read(path: string): Promise<Uint8Array | null>;
  /** Replaces the file (folders come into being); on disk when it returns. Not atomic. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds to the end of the file; on disk when it returns. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** Names in a folder; none where there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Removes a file, or a folder with all that is in it; nothing where there is none. */
  remove(path: string): Promise<void>;
  /**
   * Bytes used and allowed, as far as the browser says; `persistent`: it will not clear them by
   * itself.
   */
  usage(): Promise<{ used: number; quota: number | null; persistent: boolean }>;
}

/** Lives as long as the worker. `quota` in bytes bounds it, as a browser would. */
export class MemoryFileSystem implements FileSystem {
  readonly files = new Map<string, Uint8Array>();
  constructor(public quota = Infinity) {}

  async read(path: string): Promise<Uint8Array | null> {
    return this.files.get(path)?.slice() ?? null;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.put(path, bytes.slice());
  }

  async append(path: string, bytes: Uint8Array): Promise<void> {
    const old = this.files.get(path) ?? new Uint8Array();
    const joined = new Uint8Array(old.length + bytes.length);
    joined.set(old);
    joined.set(bytes, old.length);
    this.put(path, joined);
  }

  async list(folder: string): Promise<string[]> {
    const inside = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`));
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))];
  }

  async remove(path: string): Promise<void> {
    for (const name of [...this.files.keys()])
      if (name === path || name.startsWith(`${path}/`)) this.files.delete(name);
  }

  async usage(): Promise<{ used: number; quota: number | null; persistent: boolean }> {
    return {
      used: this.used(),
      quota: Number.isFinite(this.quota) ? this.quota : null,
      persistent: false,
    };
  }

  private used(): number {
    return [...this.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  }

  private put(path: string, bytes: Uint8Array): void {
    if (this.used() - (this.files.get(path)?.length ?? 0) + bytes.length > this.quota)
      throw storageFull();
    this.files.set(path, bytes);
  }
}

export const storageFull = (cause?: unknown) =>
  new CheckpointError(
    'storage_full',
    'The storage that the browser gives this page is full, so the run was not saved; its last checkpoint is untouched.',
    'Delete old runs, or export this one to a file.',
    { cause },
  );
