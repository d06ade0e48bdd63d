/**
 * Compiles `assembly/` to WebAssembly, in `assembly/build/`: with and without relaxed SIMD, with and
 * without threads. Does nothing if the sources have not changed.
 *
 *     node scripts/build_assembly.mjs
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCE = join(ROOT, 'assembly');
const TARGET = join(SOURCE, 'build');
const STAMP = join(TARGET, 'sources.sha256');

/** The builds, by the name of their file. */
const BUILDS = {
  plain: [],
  relaxed: ['relaxed-simd'],
  plain_threads: ['threads'],
  relaxed_threads: ['relaxed-simd', 'threads'],
};

/** Addresses below are the words that threads share (`assembly/threads.ts`). */
const STATIC_DATA_AT = 1024;
/** 4 GiB, the most that 32-bit addresses reach. */
const MAXIMUM_PAGES = 65_536;

const OPTIONS = [
  '-O3',
  '--noAssert',
  ...['--runtime', 'stub'],
  ...['--use', 'abort='],
  '--importMemory',
  '--exportTable',
  // Exported functions of vectors: no JavaScript calls them.
  ...['--disableWarning', '112'],
  ...['--initialMemory', '1'],
  ...['--maximumMemory', String(MAXIMUM_PAGES)],
  ...['--memoryBase', String(STATIC_DATA_AT)],
  ...['--transform', './scripts/assembly_inline.mjs'],
];

function sourceFiles(folder = SOURCE) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== 'build')
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? sourceFiles(path) : [path];
    })
    .sort();
}

function hashOfSources() {
  const hash = createHash('sha256');
  const scripts = [fileURLToPath(import.meta.url), join(ROOT, 'scripts/assembly_inline.mjs')];
  for (const path of [...sourceFiles(), ...scripts])
    hash.update(relative(ROOT, path)).update('\0').update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

async function compile(name, features) {
  const target = join(TARGET, `${name}.wasm`);
  const unfinished = `${target}.${process.pid}`;
  const shared = features.includes('threads') ? ['--sharedMemory'] : [];
  const { error, stderr } = await asc.main([
    'assembly/index.ts',
    ...['--baseDir', ROOT],
    ...['-o', relative(ROOT, unfinished)],
    ...['--enable', ['simd', ...features].join(',')],
    ...shared,
    ...OPTIONS,
  ]);
  if (error) throw new Error(`assembly/ does not compile:\n${stderr.toString()}`);
  // Another process may be reading the file, or compiling it as well.
  renameSync(unfinished, target);
}

/** Compiles all builds, unless they are those of the present sources. */
export async function buildAssembly() {
  const hash = hashOfSources();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hash) return;
  mkdirSync(TARGET, { recursive: true });
  for (const [name, features] of Object.entries(BUILDS)) await compile(name, features);
  writeFileSync(STAMP, hash);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildAssembly();
