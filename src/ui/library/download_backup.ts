/** Saves a backup of runs as a file. */
import type { Client } from '../../store/index.ts';

/** Time for the browser to read the file after the click. */
const REVOKE_DELAY_MS = 60_000;

export async function downloadBackup(client: Client, runs: readonly string[]): Promise<void> {
  const file = await client.library.backUp(runs);
  if (!file) return;
  const url = URL.createObjectURL(file);
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = `terrarium-backup-${new Date().toISOString().slice(0, 10)}.zip`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_DELAY_MS);
}
