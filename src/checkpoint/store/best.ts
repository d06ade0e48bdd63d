/**
 * The checkpoint with the best evaluation of a run, kept beside its generations in a folder that
 * neither this page nor one of an earlier version takes for a generation, so that no save removes it.
 */
import * as v from 'valibot';
import type { BestCheckpoint } from '../../common/index.ts';
import { CheckpointError } from '../error.ts';
import type { FileSystem } from './file_system.ts';
import { readFiles, writeMakingRoom } from './generations.ts';
import { readSlots, removeSlots, writeSlots } from './slots.ts';

const whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const StoredBest = v.object({
  step: whole,
  score: v.pipe(v.number(), v.finite()),
  /** The folder is `best-TURN`. */
  turn: whole,
  files: v.record(v.string(), whole),
});
type StoredBest = v.InferOutput<typeof StoredBest>;

const LAST_INSTEAD =
  'Continue from its last checkpoint instead, restore a backup of it, or train it again.';

const bestPath = (folder: string): string => `${folder}/best.json`;
const filesPath = (folder: string, turn: number): string => `${folder}/best-${turn}`;

async function readStored(fs: FileSystem, folder: string): Promise<StoredBest | null> {
  const result = v.safeParse(StoredBest, await readSlots(fs, bestPath(folder)));
  return result.success ? result.output : null;
}

/** Step and score of the best checkpoint, or null if none is kept. */
export async function readBest(fs: FileSystem, folder: string): Promise<BestCheckpoint | null> {
  const stored = await readStored(fs, folder);
  return stored && { step: stored.step, score: stored.score };
}

/** Total length of its files in bytes; 0 if none is kept. */
export async function bestBytes(fs: FileSystem, folder: string): Promise<number> {
  const files = (await readStored(fs, folder))?.files ?? {};
  return Object.values(files).reduce((sum, bytes) => sum + bytes, 0);
}

/** Its files, or null if none is kept. Throws `truncated` if they are damaged. */
export async function readBestFiles(
  fs: FileSystem,
  folder: string,
): Promise<Map<string, Uint8Array> | null> {
  const stored = await readStored(fs, folder);
  return stored && readFiles(fs, filesPath(folder, stored.turn), stored, LAST_INSTEAD);
}

/**
 * Replaces the best checkpoint. Throws `storage_full` and others with the one before untouched; if
 * there is not enough room, the older of the two last checkpoints is given up first.
 */
export async function writeBest(
  fs: FileSystem,
  folder: string,
  { step, score }: BestCheckpoint,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const before = await readStored(fs, folder);
  const turn = (before?.turn ?? 0) + 1;
  await writeMakingRoom(fs, folder, files, filesPath(folder, turn));
  const lengths = Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.length]));
  await writeSlots(fs, bestPath(folder), { step, score, turn, files: lengths });
  await removeOthers(fs, folder, turn);
}

/** Copies the best checkpoint of a run to another, unless it is damaged. */
export async function copyBest(fs: FileSystem, from: string, to: string): Promise<void> {
  const best = await readBest(fs, from);
  if (!best) return;
  let files: Map<string, Uint8Array> | null;
  try {
    files = await readBestFiles(fs, from);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return;
  }
  if (files) await writeBest(fs, to, best, files);
}

/** Forgets the best checkpoint. */
export async function removeBest(fs: FileSystem, folder: string): Promise<void> {
  await removeSlots(fs, bestPath(folder));
  await removeOthers(fs, folder, -1);
}

/** What a tab that closed during a write has left is removed too. */
async function removeOthers(fs: FileSystem, folder: string, turn: number): Promise<void> {
  for (const name of await fs.list(folder)) {
    const match = /^best-(\d+)$/.exec(name);
    if (match && Number(match[1]) !== turn) await fs.remove(`${folder}/${name}`);
  }
}
