/**
 * The state of a room in the folder of its run. Two files take turns, each with a counter and a
 * checksum, so that an interrupted write damages at most the older one.
 */
import { crc32 } from '../crc32.ts';
import type { FileSystem } from './file_system.ts';

/** Turn and checksum, uint32 each. */
const HEADER = 8;

export class PoolFile {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, folder: string) {
    this.#fs = fs;
    this.#path = `${folder}/pool`;
  }

  /** The last state that was written completely, or null. */
  async read(): Promise<Uint8Array | null> {
    return (await this.#newest())?.bytes ?? null;
  }

  /** Replaces the state. Throws `storage_full` and others with the former one untouched. */
  async write(bytes: Uint8Array): Promise<void> {
    const turn = ((await this.#newest())?.turn ?? 0) + 1;
    const file = new Uint8Array(HEADER + bytes.length);
    const view = new DataView(file.buffer);
    view.setUint32(0, turn, true);
    view.setUint32(4, crc32(bytes), true);
    file.set(bytes, HEADER);
    await this.#fs.write(this.#pathOf(turn), file);
  }

  async #newest(): Promise<{ turn: number; bytes: Uint8Array } | null> {
    const [a, b] = [await this.#readTurn(0), await this.#readTurn(1)];
    if (!a || !b) return a ?? b;
    return a.turn > b.turn ? a : b;
  }

  async #readTurn(parity: number) {
    const file = await this.#fs.read(this.#pathOf(parity));
    if (!file || file.length < HEADER) return null;
    const view = new DataView(file.buffer, file.byteOffset);
    const bytes = file.subarray(HEADER);
    if (crc32(bytes) !== view.getUint32(4, true)) return null;
    return { turn: view.getUint32(0, true), bytes };
  }

  #pathOf(turn: number): string {
    return `${this.#path}.${turn % 2}`;
  }
}
