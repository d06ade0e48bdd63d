/**
 * The number of threads that was fastest on this machine, stored in the browser by the number of
 * processors and the browser's version.
 */
import * as v from 'valibot';
import type { ThreadMemo } from '../backend/index.ts';

const FILE = 'threads.json';
/** Version of the measurement: increased whenever it would give another number. */
const MEASUREMENT = 1;

const FileSchema = v.strictObject({
  measurement: v.literal(MEASUREMENT),
  machine: v.string(),
  threads: v.pipe(v.number(), v.integer(), v.minValue(1)),
});

const thisMachine = (): string =>
  `${navigator.hardwareConcurrency} processors, ${navigator.userAgent}`;

/** The number in the file, or null if it was measured on another machine, or cannot be read. */
export function parseThreads(text: string, machine: string): number | null {
  try {
    const result = v.safeParse(FileSchema, JSON.parse(text));
    return result.success && result.output.machine === machine ? result.output.threads : null;
  } catch {
    return null;
  }
}

export const THREAD_MEMO: ThreadMemo = {
  recall: async () => {
    try {
      const handle = await (await navigator.storage.getDirectory()).getFileHandle(FILE);
      return parseThreads(await (await handle.getFile()).text(), thisMachine());
    } catch {
      return null;
    }
  },
  /** A failure is ignored: the number is then measured again at the next visit. */
  remember: async (threads) => {
    const kept = { measurement: MEASUREMENT, machine: thisMachine(), threads };
    try {
      const folder = await navigator.storage.getDirectory();
      const handle = await folder.getFileHandle(FILE, { create: true });
      const access = await handle.createSyncAccessHandle();
      try {
        access.truncate(0);
        access.write(new TextEncoder().encode(JSON.stringify(kept)), { at: 0 });
        access.flush();
      } finally {
        access.close();
      }
    } catch {
      // A private window, or no room.
    }
  },
};
