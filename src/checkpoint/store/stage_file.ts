/** The settings of a stage, which each of its checkpoints has: for the list of runs. */
import { FILES } from '../folder.ts';
import { parseRecord, type JsonRecord } from '../json.ts';
import type { FileSystem } from './file_system.ts';
import { readGenerationFile, readPointer } from './generations.ts';

/** `stage.json` of the newest checkpoint that has a readable one; undefined for pretraining. */
export async function loadStage(fs: FileSystem, folder: string): Promise<JsonRecord | undefined> {
  for (const generation of await readPointer(fs, folder)) {
    const bytes = await readGenerationFile(fs, folder, generation, FILES.stage);
    if (!bytes) continue;
    try {
      return parseRecord(bytes, FILES.stage);
    } catch {
      // An older checkpoint may have one that can be read.
    }
  }
  return undefined;
}
