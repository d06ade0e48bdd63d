/**
 * A small JSON file that survives a crash during a write. Two files take turns, each with a counter
 * and a checksum, so an interrupted write damages at most the older one.
 */
import { crc32 } from '../crc32.ts';
import { isRecord } from '../json.ts';
import type { FileSystem } from './file_system.ts';

export interface Slot {
  turn: number;
  value: unknown;
}

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** The content of one slot, or null if it is missing or damaged. */
async function readSlot(fs: FileSystem, path: string): Promise<Slot | null> {
  const bytes = await fs.read(path);
  if (!bytes) return null;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
  if (!isRecord(json) || typeof json.turn !== 'number') return null;
  const { turn, value, checksum } = json;
  return value !== undefined && checksum === crc32(encode(value)) ? { turn, value } : null;
}

async function newestSlot(fs: FileSystem, path: string): Promise<Slot | null> {
  const a = await readSlot(fs, `${path}.0`);
  const b = await readSlot(fs, `${path}.1`);
  if (!a || !b) return a ?? b;
  return a.turn > b.turn ? a : b;
}

/** The last value that was written completely, or null. */
export const readSlots = async (fs: FileSystem, path: string): Promise<unknown> =>
  (await newestSlot(fs, path))?.value ?? null;

/** Replaces the value. Until this resolves, readers get the former one. */
export async function writeSlots(fs: FileSystem, path: string, value: unknown): Promise<void> {
  const turn = ((await newestSlot(fs, path))?.turn ?? 0) + 1;
  await fs.write(`${path}.${turn % 2}`, slotFile({ turn, value }));
}

/** The content of one of the two files. */
export const slotFile = ({ turn, value }: Slot): Uint8Array =>
  encode({ turn, checksum: crc32(encode(value)), value });

/** Removes the older file first: readers get the last value until there is none. */
export async function removeSlots(fs: FileSystem, path: string): Promise<void> {
  const newest = (await newestSlot(fs, path))?.turn ?? 0;
  await fs.remove(`${path}.${(newest + 1) % 2}`);
  await fs.remove(`${path}.${newest % 2}`);
}
