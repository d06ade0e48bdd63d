/**
 * The folder of a run in storage. Lineage and name are in files of their own there, because pages of
 * earlier versions rewrite the index with the keys that they know, and drop entries whose
 * configuration they cannot read.
 */
import * as v from 'valibot';
import type { Lineage } from '../../common/index.ts';
import { CheckpointError, shorten } from '../error.ts';
import { FILES } from '../folder.ts';
import { DEFAULT_LINEAGE, limited, parseLineage, readLineage } from '../lineage.ts';
import type { FileSystem } from './file_system.ts';
import { readGenerationFile, readPointer } from './generations.ts';
import { readSlots, writeSlots } from './slots.ts';

/** The parent of all folders of runs. */
export const RUNS = 'runs';

export const folderOf = (id: string): string => `${RUNS}/${id}`;

/** Returns an id that is safe as a folder's name. Throws `run_missing`. */
export function checkId(id: string): string {
  if (/^[\w-]{1,64}$/.test(id)) return id;
  throw new CheckpointError(
    'run_missing',
    `No run can have the identifier ${shorten(id, 40)}.`,
    'Choose a run from the list.',
  );
}

const lineagePath = (folder: string) => `${folder}/${FILES.lineage}`;

/** Files of a run beside its checkpoints that a copy of the run needs as well. */
export const isSharedFile = (name: string): boolean =>
  /^((metrics|samples|(training_)?votes|rollouts|evaluations)\.jsonl|text\.|(lineage|view|recipe)\.json)/.test(
    name,
  );

export const saveLineage = (fs: FileSystem, folder: string, lineage: Lineage): Promise<void> =>
  writeSlots(fs, lineagePath(folder), limited(lineage));

/**
 * The lineage of a run, from its folder or else from its newest checkpoint: a copy that an earlier
 * version made has it only there. Runs of earlier versions have the default.
 */
export async function loadLineage(fs: FileSystem, folder: string): Promise<Lineage> {
  const lineage = parseLineage(await readSlots(fs, lineagePath(folder)));
  return lineage ?? (await checkpointLineage(fs, folder)) ?? DEFAULT_LINEAGE;
}

async function checkpointLineage(fs: FileSystem, folder: string): Promise<Lineage | null> {
  for (const generation of await readPointer(fs, folder)) {
    const bytes = await readGenerationFile(fs, folder, generation, FILES.lineage);
    if (!bytes) continue;
    try {
      return readLineage(bytes);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
    }
  }
  return null;
}

/** What the index says about a run and no checkpoint does. */
const RunName = v.object({ name: v.string(), created: v.number() });
export type RunName = v.InferOutput<typeof RunName>;

const namePath = (folder: string) => `${folder}/name.json`;

export const saveName = (fs: FileSystem, folder: string, name: RunName): Promise<void> =>
  writeSlots(fs, namePath(folder), name);

/** Null for runs of earlier versions. */
export async function loadName(fs: FileSystem, folder: string): Promise<RunName | null> {
  const result = v.safeParse(RunName, await readSlots(fs, namePath(folder)));
  return result.success ? result.output : null;
}
