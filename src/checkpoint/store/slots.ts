/**
 * A small JSON file that is never half written: two slots take turns, each with a number that grows
 * and a checksum. A tab that dies during a write spoils at most the older slot, and the newer one
 * still reads.
 */
import { crc32 } from '../crc32.ts';
import { isRecord } from '../json.ts';
import type { FileSystem } from './file_system.ts';

interface Slot {
  turn: number;
  value: unknown;
}

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

async function readSlot(fs: FileSystem, path: string): Promise<Slot | null> {
  const bytes = await fs.read(path);
  try {
    const json: unknown = bytes && JSON.parse(new TextDecoder().decode(bytes));
    return isRecord(json) &&
      typeof json.turn === 'number' &&
      json.checksum === crc32(text(json.value))
      ? { turn: json.turn, value: json.value }
      : null;
  } catch {
    return null;
  }
}

async function newest(fs: FileSystem, path: string): Promise<Slot | null> {
  const a = await readSlot(fs, `${path}.0`);
  const b = await readSlot(fs, `${path}.1`);
  return a && b ? (a.turn > b.turn ? a : b) : (a ?? b);
}

/** The last value that was written whole, or null. */
export const readSlots = async (fs: FileSystem, path: string): Promise<unknown> =>
  (await newest(fs, path))?.value ?? null;

/** Replaces the value; until this returns, the former one is what is read. */
export async function writeSlots(fs: FileSystem, path: string, value: unknown): Promise<void> {
  const turn = ((await newest(fs, path))?.turn ?? 0) + 1;
  await fs.write(`${path}.${turn % 2}`, text({ turn, checksum: crc32(text(value)), value }));
}

export async function removeSlots(fs: FileSystem, path: string): Promise<void> {
  await fs.remove(`${path}.0`);
  await fs.remove(`${path}.1`);
}
