/** Files that the user drops on the page or picks: a zip, or the files of a model folder. */
import { CheckpointError, shorten } from './error.ts';
import type { Files } from './folder.ts';
import { refusePickle } from './pickle.ts';
import { unzipFolder } from './unzip.ts';

export interface BroughtFile {
  path: string;
  bytes: Uint8Array;
}

const isZip = (bytes: Uint8Array) => bytes[0] === 0x50 && bytes[1] === 0x4b;

/**
 * Returns the files for `readCheckpoint`, unpacking a single zip. Throws `missing_file`, `pickle`,
 * `bad_zip`, `duplicate_name`, and everything that `unzipFolder` throws.
 */
export function broughtFiles(list: readonly BroughtFile[]): Files {
  const [first] = list;
  if (!first) {
    throw new CheckpointError(
      'missing_file',
      'No file was chosen.',
      'Choose a zip that Terrarium exported, or all files of a model folder.',
    );
  }
  if (list.length === 1) {
    refusePickle(first.bytes, first.path);
    if (isZip(first.bytes)) return unzipFolder(first.bytes, shorten(first.path));
    if (/\.zip$/iu.test(first.path)) {
      throw new CheckpointError(
        'bad_zip',
        `${shorten(first.path)} is not a zip file.`,
        'Choose a zip that Terrarium exported, or all files of a model folder.',
      );
    }
  }
  const files = new Map<string, Uint8Array>();
  for (const { path, bytes } of list) {
    if (files.has(path)) {
      throw new CheckpointError(
        'duplicate_name',
        `Two of the files have the name ${shorten(path)}.`,
        'Choose the files of one folder.',
      );
    }
    files.set(path, bytes);
  }
  return files;
}
