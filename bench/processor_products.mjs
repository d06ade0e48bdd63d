/* global WebAssembly, Worker */
/**
 * Times the matrix products of a training step on the processor, in a headless browser: GFLOP/s by
 * shape, for each build of `assembly/` and each number of threads, and the sum over a step.
 *
 *     node bench/processor_products.mjs [--configs=N,T,S,decode,batch] [--threads=1,2]
 *         [--builds=plain,relaxed] [--milliseconds=150] [--gpu-machine]
 *
 * `--gpu-machine` uses the browser of a GPU machine (README.md) and the builds that are there.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serveFolder } from './drive.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Models by their name in the ladder: rows of a batch, width, feed-forward, vocabulary, layers. */
const CONFIGS = {
  N: { rows: 512, d: 64, f: 256, v: 28, layers: 2 },
  T: { rows: 768, d: 128, f: 512, v: 65, layers: 4 },
  S: { rows: 2048, d: 128, f: 256, v: 10000, layers: 6 },
  decode: { rows: 1, d: 128, f: 512, v: 10000, layers: 4 },
  batch: { rows: 8, d: 128, f: 512, v: 10000, layers: 4 },
};

/** `form` says whether A and B are transposed. `count` is how often a step has the product. */
function shapesOf(name, { rows, d, f, v, layers }) {
  const shape = (title, form, [M, N, K], count = layers) => ({
    title: `${name} ${title} ${form} ${M}x${N}x${K}`,
    ...{ form, M, N, K, count },
  });
  const forward = [
    shape('qkv', 'nn', [rows, 3 * d, d]),
    shape('proj', 'nn', [rows, d, d]),
    shape('fc', 'nn', [rows, f, d]),
    shape('fc2', 'nn', [rows, d, f]),
    shape('head', 'nt', [rows, v, d], 1),
  ];
  if (rows <= 16) return forward;
  return [
    ...forward,
    shape('qkv dX', 'nt', [rows, d, 3 * d]),
    shape('proj dX', 'nt', [rows, d, d]),
    shape('fc dX', 'nt', [rows, d, f]),
    shape('fc2 dX', 'nt', [rows, f, d]),
    shape('head dX', 'nn', [rows, d, v], 1),
    shape('qkv dW', 'tn', [d, 3 * d, rows]),
    shape('proj dW', 'tn', [d, d, rows]),
    shape('fc dW', 'tn', [d, f, rows]),
    shape('fc2 dW', 'tn', [f, d, rows]),
    shape('head dW', 'tn', [v, d, rows], 1),
  ];
}

/** Starts the threads in the page, sends the shapes to the first, and ends them. */
async function measureInPage({ bytes, threads, shapes, milliseconds }) {
  const module = await WebAssembly.compile(new Uint8Array(bytes));
  // Memory that is not shared cannot be sent: a single thread makes its own.
  const memory =
    threads > 1 && new WebAssembly.Memory({ initial: 8192, maximum: 65_536, shared: true });
  const workers = [];
  for (let index = 0; index < threads; index++) {
    const worker = new Worker('/bench/processor_products_thread.js', { type: 'module' });
    workers.push(worker);
    const ready = new Promise((done) => (worker.onmessage = done));
    worker.postMessage({ module, memory: memory || undefined, threads, index });
    await ready;
  }
  const [leader] = workers;
  const results = await new Promise((done, failed) => {
    leader.onmessage = ({ data }) => done(data);
    leader.onerror = (event) => failed(new Error(event.message));
    leader.postMessage({ shapes, milliseconds });
  });
  for (const worker of workers) worker.terminate();
  return results;
}

const { values: options } = parseArgs({
  options: {
    configs: { type: 'string', default: 'N,T,S,decode' },
    threads: { type: 'string', default: '1,2' },
    builds: { type: 'string', default: 'plain,relaxed' },
    milliseconds: { type: 'string', default: '150' },
    'gpu-machine': { type: 'boolean', default: false },
  },
});
const launch = options['gpu-machine'] ? await gpuMachine() : await thisMachine();
const configs = options.configs.split(',');
const shapes = configs.flatMap((name) => shapesOf(name, CONFIGS[name]));
const columns = options.threads
  .split(',')
  .flatMap((threads) => options.builds.split(',').map((build) => ({ threads: +threads, build })));
const server = await serveFolder(ROOT);
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(`${server.url}bench/processor_products.html`);
  for (const column of columns) {
    const file = column.threads > 1 ? `${column.build}_threads` : column.build;
    const bytes = [...readFileSync(join(ROOT, `assembly/build/${file}.wasm`))];
    const milliseconds = +options.milliseconds;
    const { threads } = column;
    column.gflops = await page.evaluate(measureInPage, { bytes, threads, shapes, milliseconds });
  }
} finally {
  await browser.close();
  server.close();
}
print();

/** Compiles the builds, and returns a function that launches the browser. */
async function thisMachine() {
  const { chromium } = await import('playwright');
  const { findBrowser } = await import('../scripts/browser.mjs');
  const { buildAssembly } = await import('../scripts/build_assembly.mjs');
  const { launchOptions } = await import('../scripts/flags.mjs');
  await buildAssembly();
  return () => chromium.launch(launchOptions(findBrowser().path));
}

async function gpuMachine() {
  const { gpuBrowser } = await import('./gpu_browser.cjs');
  return gpuBrowser();
}

function print() {
  const titles = columns.map(({ threads, build }) => `${build} ${threads}`.padStart(10)).join(' ');
  console.log(`${'GFLOP/s'.padEnd(36)}${titles}`);
  shapes.forEach(({ title }, i) => {
    const cells = columns.map(({ gflops }) => gflops[i].toFixed(1).padStart(10)).join(' ');
    console.log(`${title.padEnd(36)}${cells}`);
  });
  for (const name of configs) {
    const cells = columns.map((column) => stepOf(name, column).toFixed(2).padStart(10)).join(' ');
    console.log(`${`${name} all products of a step, ms`.padEnd(36)}${cells}`);
  }
}

function stepOf(name, { gflops }) {
  let milliseconds = 0;
  shapes.forEach(({ title, M, N, K, count }, i) => {
    if (title.startsWith(`${name} `)) milliseconds += (2 * M * N * K * count) / gflops[i] / 1e6;
  });
  return milliseconds;
}
