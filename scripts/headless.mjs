/**
 * `npm run headless`: trains in a headless browser. Each metric record is one JSON line on standard
 * output (`step train/loss val/loss val/bpb lr grad_norm train/tok_per_sec gpu_bytes` and more); the
 * last line is a summary. An error is one sentence on standard error with exit code 1, or 2 for an
 * invalid command line. The page's side is src/protocol/headless.ts.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { unzipSync } from 'fflate';
import { chromium } from 'playwright';
import { findBrowser } from './browser.mjs';
import { launchOptions } from './flags.mjs';
import { serve } from './serve.mjs';

const USAGE = `Usage: npm run headless -- [options]
  --preset ID         names, novel_char, classic, tiny_tales, arithmetic, small_llama
  --set FIELD=VALUE   any field of the configuration, for example --set model.n_layer=2; may be repeated
  --steps N           the same as --set training.max_iters=N
  --backend NAME      webgpu, webgl, wasm or cpu; by default, the page chooses
  --text FILE         train on this text
  --recipe FILE       train a chain of stages (src/config/stage/recipe.ts); exports the last one
  --ranks N           train on N ranks, each a worker with a device of its own; with --recipe, every stage
  --mesh AXES         how they are arranged, such as dp=2,tp=2 or dp=2,pp=2,zero_stage=1,schedule=gpipe
  --json FILE         also write the records and the summary to this file
  --checkpoint DIR    unpack the trained model's folder into this directory
  --timeout SECONDS   time limit (3600)
  --verbose           print the page's console on standard error
A GPU is used with BROWSER_GPU=1; otherwise WebGPU and WebGL run in software.`;

/** An error in the command line. */
class UsageError extends Error {}

const log = (line) => console.error(line);

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        preset: { type: 'string' },
        set: { type: 'string', multiple: true, default: [] },
        steps: { type: 'string' },
        backend: { type: 'string' },
        text: { type: 'string' },
        recipe: { type: 'string' },
        ranks: { type: 'string' },
        mesh: { type: 'string' },
        json: { type: 'string' },
        checkpoint: { type: 'string' },
        timeout: { type: 'string', default: '3600' },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (!(Number(values.timeout) > 0))
      throw new UsageError(`--timeout takes a number of seconds, not ${values.timeout}.`);
    return values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

/** The configuration as the query string of the page's address. The page checks it. */
export function queryOf(options) {
  const query = new URLSearchParams({ v: '1', headless: '1' });
  if (!options.recipe && !meshOf(options)) query.set('autostart', '1');
  if (options.preset) query.set('preset', options.preset);
  // A list repeats its key: the first --set of a field replaces the value, the next ones add to it.
  const assigned = new Set();
  for (const assignment of options.set) {
    const at = assignment.indexOf('=');
    if (at < 1) throw new UsageError(`--set takes FIELD=VALUE, not ${assignment}.`);
    const field = assignment.slice(0, at);
    const value = assignment.slice(at + 1);
    if (assigned.has(field)) query.append(field, value);
    else query.set(field, value);
    assigned.add(field);
  }
  if (options.text) query.set('data.corpus', 'own');
  if (options.steps) query.set('training.max_iters', options.steps);
  if (options.backend) query.set('runtime.backend', options.backend);
  return query.toString();
}

const MESH_FIELDS = [
  'dp',
  'tp',
  'pp',
  'zero_stage',
  'schedule',
  'virtual_chunks',
  'sync_each_batch',
];
const meshValue = (field, value) => {
  if (field === 'schedule') return value;
  return field === 'sync_each_batch' ? value !== '0' : Number(value);
};

/** The mesh of `--ranks` and `--mesh` (src/common/mesh.ts); null without either. */
export function meshOf({ ranks, mesh }) {
  if (ranks === undefined && mesh === undefined) return null;
  if (ranks !== undefined && !/^[1-9]\d*$/.test(ranks))
    throw new UsageError(`--ranks takes a whole number of at least 1, not ${ranks}.`);
  const fields = (mesh ?? `dp=${ranks}`).split(',').map((part) => part.split('='));
  for (const [field, value] of fields) {
    const isKnown = MESH_FIELDS.includes(field) && value;
    if (!isKnown || (field !== 'schedule' && !/^\d+$/.test(value)))
      throw new UsageError(
        `--mesh takes FIELD=NUMBER of ${MESH_FIELDS.join(', ')}, separated by commas, not ${mesh}.`,
      );
  }
  const values = Object.fromEntries(
    fields.map(([field, value]) => [field, meshValue(field, value)]),
  );
  const { dp = 1, tp = 1, pp = 1 } = values;
  if (ranks !== undefined && Number(ranks) !== dp * tp * pp)
    throw new UsageError(
      `--ranks ${ranks} and --mesh ${mesh} differ: the mesh has ${dp * tp * pp}.`,
    );
  return values;
}

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(USAGE);
    return;
  }
  const query = queryOf(options);
  const text = options.text ? readFileSync(options.text) : undefined;
  if (options.json) {
    mkdirSync(dirname(resolve(options.json)), { recursive: true });
    writeFileSync(options.json, '');
  }
  const print = (record) => {
    const line = JSON.stringify(record);
    console.log(line);
    if (options.json) appendFileSync(options.json, `${line}\n`);
  };
  const found = findBrowser(log);
  const server = await serve(log);
  log(`Browser: ${found.version}, ${found.path}, ${found.how}.`);
  const browser = await chromium.launch(launchOptions(found.path));
  try {
    const page = await openPage(browser, `${server.url}?${query}`, options.verbose, print);
    const started = performance.now();
    if (text)
      await page.evaluate(
        ({ name, base64 }) =>
          window.terrarium.openText(
            name,
            Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)),
          ),
        { name: basename(options.text), base64: text.toString('base64') },
      );
    const limit = Number(options.timeout) * 1000;
    const status = await train(page, options, { limit, print });
    if (options.checkpoint) await saveCheckpoint(page, options.checkpoint);
    print({
      summary: {
        ...status,
        seconds: Math.round((performance.now() - started) / 100) / 10,
        browser: found.version,
      },
    });
  } finally {
    await browser.close();
    await server.close();
  }
}

/** Trains as the options say, and resolves to what the summary reports. */
async function train(page, options, { limit, print }) {
  const mesh = meshOf(options);
  if (options.recipe) {
    const recipe = JSON.parse(readFileSync(options.recipe, 'utf8'));
    return trainRecipe(page, { recipe, mesh }, { limit, print });
  }
  if (mesh) {
    const trained = page.evaluate(
      (value) =>
        window.terrarium.runLab(value).then(
          (result) => ({ result, failure: '' }),
          (error) => ({ result: null, failure: error.message }),
        ),
      mesh,
    );
    const failure = `The ranks did not finish within ${limit / 1000} seconds.`;
    const late = new Promise((done) => setTimeout(done, limit, { failure }).unref());
    const outcome = await Promise.race([trained, late]);
    if (outcome.failure) throw new Error(outcome.failure);
    return outcome.result;
  }
  return waitForEnd(page, limit);
}

/** Opens the page and waits for its hook. Each record is passed to `print`. */
async function openPage(browser, url, verbose, print) {
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (verbose) log(`[page ${message.type()}] ${message.text()}`);
  });
  await page.exposeFunction('printRecord', print);
  await page.goto(url, { waitUntil: 'load' });
  try {
    await page.waitForFunction(() => window.terrarium !== undefined, undefined, {
      timeout: 60_000,
    });
  } catch {
    throw new Error(
      `The page did not start within a minute${errors.length > 0 ? `: ${errors[0]}` : '.'}`,
    );
  }
  await page.evaluate(() => {
    window.terrarium.onRecord((record) => window.printRecord(record));
  });
  return page;
}

/**
 * Trains the stages of a recipe, and prints a record `{"stage": ...}` when a stage begins or ends. Resolves
 * to the status after the last stage. Throws an Error with the sentence with which a stage failed.
 */
async function trainRecipe(page, { recipe, mesh }, { limit, print }) {
  await page.evaluate(([value, ranks]) => window.terrarium.runRecipe(value, ranks), [recipe, mesh]);
  const reported = new Map();
  for (const until = performance.now() + limit; performance.now() < until;) {
    const status = await page.evaluate(() => window.terrarium.status());
    for (const stage of status.recipe?.stages ?? []) {
      if (reported.get(stage.id) === stage.status || stage.status === 'waiting') continue;
      reported.set(stage.id, stage.status);
      print({ stage });
      log(`${stage.id}: ${stage.status}`);
    }
    if (status.recipe && !status.recipe.running) {
      const failed = status.recipe.stages.find((stage) => stage.status === 'failed');
      if (failed) throw new Error(`The stage ${failed.id} failed. ${failed.problem}`);
      return status;
    }
    await new Promise((done) => setTimeout(done, 250));
  }
  throw new Error(`The recipe did not finish within ${limit / 1000} seconds.`);
}

/** The status of the finished run. Throws the page's error if there is one. */
async function waitForEnd(page, limit) {
  let crashed = false;
  let logged = '';
  const reported = new Set();
  page.on('crash', () => {
    crashed = true;
  });
  for (const until = performance.now() + limit; performance.now() < until;) {
    if (crashed)
      throw new Error(
        'The page crashed, probably for lack of memory: try a smaller model or batch.',
      );
    const status = await page.evaluate(() => window.terrarium.status());
    if (status.error) throw new Error(`${status.error.message} ${status.error.hint}`);
    for (const notice of status.notices) {
      if (!reported.has(notice)) log(notice);
      reported.add(notice);
    }
    if (status.finished) return status;
    const state = `${status.phase}: ${status.detail}`;
    if (state !== logged && status.phase !== 'training') log(state);
    logged = state;
    await new Promise((done) => setTimeout(done, 250));
  }
  const { phase, step, detail } = await page.evaluate(() => window.terrarium.status());
  throw new Error(
    `The run did not finish within ${limit / 1000} seconds. It was at step ${step} (${phase}: ${detail}).`,
  );
}

/** Unpacks the export into `folder`. It is transferred in pieces of base64: pages return text. */
async function saveCheckpoint(page, folder) {
  const PIECE = 3 * 2 ** 20;
  const length = await page.evaluate(async () => {
    window.exported = (await window.terrarium.exportCheckpoint()).bytes;
    return window.exported.length;
  });
  const pieces = [];
  for (let at = 0; at < length; at += PIECE) {
    pieces.push(
      Buffer.from(
        await page.evaluate(
          ([start, end]) => {
            let text = '';
            for (const byte of window.exported.subarray(start, end))
              text += String.fromCharCode(byte);
            return btoa(text);
          },
          [at, at + PIECE],
        ),
        'base64',
      ),
    );
  }
  const root = resolve(folder);
  for (const [name, bytes] of Object.entries(unzipSync(Buffer.concat(pieces)))) {
    const path = resolve(root, name);
    if (name.endsWith('/')) continue;
    if (!path.startsWith(root + sep))
      throw new Error(`The export has a file ${name} outside ${folder}.`);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  log(`The checkpoint is in ${join(folder)}.`);
}

main().catch((error) => {
  log(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : error.message);
  process.exit(error instanceof UsageError ? 2 : 1);
});
