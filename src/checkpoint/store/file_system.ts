/** The file system that the library of runs needs, and an implementation in memory. */
import { CheckpointError } from '../error.ts';

/**
 * Files by path, such as 'runs/1/metrics.jsonl'. Methods throw only CheckpointError (`storage_*`).
 */
export interface FileSystem {
  /** The whole file, or null if it does not exist. */
  read(path: string): Promise<Uint8Array | null>;
  /** At most the last `length` bytes of the file, or null if it does not exist. */
  readTail(path: string, length: number): Promise<Uint8Array | null>;
  /** Replaces the file and creates its folders. On disk when it resolves, but not atomic. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds to the end of the file. On disk when it resolves; if it rejects, the file is unchanged. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** Names in a folder; empty if it does not exist. */
  list(folder: string): Promise<string[]>;
  /** Bytes of every file below a folder, by its path there; empty if the folder does not exist. */
  sizes(folder: string): Promise<Map<string, number>>;
  /** Removes a file, or a folder with everything in it. Does nothing if it does not exist. */
  remove(path: string): Promise<void>;
  usage(): Promise<Usage>;
  /**
   * Looks for the files again. If the user clears the data of the site, a page that keeps its handles
   * would go on writing to files that nobody can open.
   */
  renew(): Promise<void>;
}

export interface Usage {
  /** Bytes, as far as the browser says. */
  used: number;
  quota: number | null;
  /** True if the browser does not clear the files by itself. */
  persistent: boolean;
}

/** Lives as long as the worker. `quota` limits it in bytes, as a browser would. */
export class MemoryFileSystem implements FileSystem {
  readonly files = new Map<string, Uint8Array>();
  quota: number;

  constructor(quota = Infinity) {
    this.quota = quota;
  }

  async read(path: string): Promise<Uint8Array | null> {
    return this.files.get(path)?.slice() ?? null;
  }

  async readTail(path: string, length: number): Promise<Uint8Array | null> {
    return this.files.get(path)?.slice(-length) ?? null;
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.#put(path, bytes.slice());
  }

  async append(path: string, bytes: Uint8Array): Promise<void> {
    const old = this.files.get(path) ?? new Uint8Array();
    const joined = new Uint8Array(old.length + bytes.length);
    joined.set(old);
    joined.set(bytes, old.length);
    this.#put(path, joined);
  }

  async list(folder: string): Promise<string[]> {
    const inside = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`));
    return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))];
  }

  async sizes(folder: string): Promise<Map<string, number>> {
    const inside = [...this.files].filter(([path]) => path.startsWith(`${folder}/`));
    return new Map(inside.map(([path, bytes]) => [path.slice(folder.length + 1), bytes.length]));
  }

  async remove(path: string): Promise<void> {
    for (const name of [...this.files.keys()]) {
      if (name === path || name.startsWith(`${path}/`)) this.files.delete(name);
    }
  }

  async usage(): Promise<Usage> {
    const quota = Number.isFinite(this.quota) ? this.quota : null;
    return { used: this.#used(), quota, persistent: false };
  }

  async renew(): Promise<void> {
    // Nobody else can remove files in memory.
  }

  #used(): number {
    return [...this.files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  }

  #put(path: string, bytes: Uint8Array): void {
    const others = this.#used() - (this.files.get(path)?.length ?? 0);
    if (others + bytes.length > this.quota) throw storageFull();
    this.files.set(path, bytes);
  }
}

export const storageFull = (cause?: unknown) =>
  new CheckpointError(
    'storage_full',
    'The storage that the browser gives this page is full, so the run was not saved. Its last checkpoint is untouched.',
    'Delete old runs, or export this one to a file.',
    { cause },
  );
