/** Builds the page if necessary and serves it with the headers of `npm start`. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, preview } from 'vite';
import { freePort } from './port.mjs';

/** The folder of the project. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = [
  'assembly',
  'src',
  'vite',
  'public',
  'index.html',
  'vite.config.ts',
  'package-lock.json',
];
/** The folder of `assembly/` that the build writes. */
const BUILT = 'build';

function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const names = readdirSync(path).filter((name) => name !== BUILT);
  return Math.max(0, ...names.map((name) => newest(join(path, name))));
}

/** True if dist is missing or older than its sources. */
const isStale = () =>
  newest(join(ROOT, 'dist', 'index.html')) <
  Math.max(...SOURCES.map((name) => newest(join(ROOT, name))));

export async function buildIfStale(log) {
  if (!isStale()) return;
  log('Building the page.');
  await build({ root: ROOT, logLevel: 'error' });
}

/** Builds the page if dist is stale and serves it on a free port: `{ url, close }`. */
export async function serve(log) {
  await buildIfStale(log);
  const server = await preview({
    root: ROOT,
    logLevel: 'error',
    preview: { host: '127.0.0.1', port: await freePort(), strictPort: true },
  });
  const url = server.resolvedUrls?.local[0];
  if (!url) throw new Error('The preview server did not report its address.');
  return { url, close: () => server.close() };
}
