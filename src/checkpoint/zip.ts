/** Exports a folder as one zip file. Entries are stored, because float weights hardly compress. */
import { zipSync } from 'fflate';
import { CheckpointError } from './error.ts';

/** Zip files beyond 4 GB need another format (zip64); some room is left for the directory. */
const MAX_CONTENT = 0xffff_ffff - 2 ** 20;

/** Returns one zip with all files under a folder of the given name. Throws `too_large`. */
export function zipFolder(files: ReadonlyMap<string, Uint8Array>, folder = ''): Uint8Array {
  const total = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  if (total > MAX_CONTENT) {
    throw new CheckpointError(
      'too_large',
      'The checkpoint is larger than the 4 GB that a zip file can contain.',
      'Save a smaller model.',
    );
  }
  const prefix = folder === '' ? '' : `${safeName(folder)}/`;
  const entries = new Map<string, Uint8Array>();
  for (const [path, bytes] of files) entries.set(prefix + path, bytes);
  try {
    return zipSync(Object.fromEntries(entries), { level: 0 });
  } catch (cause) {
    throw new CheckpointError(
      'too_large',
      'There is not enough memory to put the checkpoint into one file.',
      'Close other tabs and try again.',
      { cause },
    );
  }
}

const safeName = (folder: string): string =>
  folder.replace(/[^\w.-]+/g, '-').replace(/^\.+/, '') || 'terrarium';
