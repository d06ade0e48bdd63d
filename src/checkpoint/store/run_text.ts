/** The person's own text in the folder of a run. */
import type { OwnText } from '../../common/index.ts';
import { parseText, textInfo } from '../saved_text.ts';
import type { FileSystem } from './file_system.ts';
import { readSlots, writeSlots } from './slots.ts';

export async function saveText(fs: FileSystem, folder: string, text: OwnText): Promise<void> {
  await fs.write(`${folder}/text.bin`, text.bytes);
  await writeSlots(fs, `${folder}/text.json`, textInfo(text));
}

/** Null if the run has no text of the person's own. */
export async function loadText(fs: FileSystem, folder: string): Promise<OwnText | null> {
  const info = await readSlots(fs, `${folder}/text.json`);
  const bytes = await fs.read(`${folder}/text.bin`);
  return bytes && parseText(info, bytes);
}
