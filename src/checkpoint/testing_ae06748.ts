/** Files that Terrarium wrote at commit ae06748 (fixtures/README.md). Imported only by node tests. */
import { readdirSync, readFileSync } from 'node:fs';

const ROOT = new URL('./fixtures/ae06748/', import.meta.url);

/** The id of the stored run. */
export const STORED_RUN = 'b7d1c0de-0000-4000-8000-00000000ae06';

export const readFixture = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(path, ROOT)));

export const readJsonFixture = (path: string): unknown =>
  JSON.parse(new TextDecoder().decode(readFixture(path)));

/** All files below a folder, by path relative to it. */
export function readFixtureFolder(folder: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const entries = readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true });
  const base = new URL(folder, ROOT).pathname;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = `${entry.parentPath}/${entry.name}`;
    files.set(path.slice(base.length).replace(/^\//, ''), new Uint8Array(readFileSync(path)));
  }
  return files;
}
