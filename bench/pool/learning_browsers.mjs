/**
 * What a room of real browsers learns: four browsers with a shard each, joined over WebRTC by codes
 * (no server but that of the page's files), against one browser with four times the batch and as many
 * steps, and against each shard alone (learning.ts in Node, on the same engine). Seeds run at the same
 * time; a browser computes with one thread. Needs node, the built page, and for `alone` dist-pool:
 *
 *     npx vite build && npx vite build --config bench/pool/vite.config.ts
 *     node bench/pool/learning_browsers.mjs [--preset names] [--steps 400] [--local-steps 10]
 *         [--momentum 0.8] [--seeds 1,2,3] [--arms single,pool,alone] [--members 4] [--out FILE]
 *         [--set model.n_layer=2]... [--home /tmp/gpu] [--dist dist]
 *
 * `--home`: a folder with chromium/chromium-headless-shell and node_modules/playwright-core, as on the
 * GPU machine (../gpu_browser.cjs). Prints a JSON line for each arm and seed, as learning.ts does, and
 * the comparison of each seed. A wait of more than 30 s is told on stderr, with what the pages show.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { serveFolder } from '../drive.mjs';
import { Laptop, telling, until } from './laptop.mjs';

const { values } = parseArgs({
  options: {
    preset: { type: 'string', default: 'names' },
    members: { type: 'string', default: '4' },
    steps: { type: 'string', default: '400' },
    'local-steps': { type: 'string', default: '10' },
    momentum: { type: 'string', default: '0.8' },
    seeds: { type: 'string', default: '1,2,3' },
    arms: { type: 'string', default: 'single,pool,alone' },
    set: { type: 'string', multiple: true, default: [] },
    home: { type: 'string' },
    dist: { type: 'string', default: 'dist' },
    out: { type: 'string' },
  },
});

/** An arm takes no longer than this, seconds. */
const LIMIT = 540;
/** Batches of an evaluation, as in learning.ts. */
const EVAL_ITERS = '50';
const OUTER_LEARNING_RATE = '0.7';

const members = Number(values.members);
const batchOf = Object.fromEntries(values.set.map((change) => change.split('=')));
const batch_size = Number(
  batchOf['training.batch_size'] ?? { names: 32, tiny_tales: 16 }[values.preset],
);
if (!batch_size) throw new Error('Name the batch: --set training.batch_size=N.');

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
];

/** Playwright and its browser, from the folder of the GPU machine or from this one. */
async function findBrowser() {
  const { home } = values;
  if (home === undefined) {
    const [{ chromium }, installed] = await Promise.all([
      import('playwright'),
      import('../../scripts/browser.mjs'),
    ]);
    return { chromium, executable: installed.findBrowser(console.error).path };
  }
  const require = createRequire(join(resolve(home), 'package.json'));
  const { chromium } = require('playwright-core');
  return { chromium, executable: join(home, 'chromium/chromium-headless-shell') };
}

const { chromium, executable } = await findBrowser();
// Without the headers of cross-origin isolation a page has no shared memory, and so one thread.
const server = await serveFolder(values.dist, false);
const folder = mkdtempSync(join(tmpdir(), 'terrarium-rooms-'));
const launched = [];

const facts = {
  preset: values.preset,
  members,
  steps: Number(values.steps),
  batch_size,
  local_steps: Number(values['local-steps']),
  outer_learning_rate: Number(OUTER_LEARNING_RATE),
  outer_momentum: Number(values.momentum),
};

if (values.out) writeFileSync(values.out, '');
function print(record) {
  const line = JSON.stringify(record);
  console.log(line);
  if (values.out) appendFileSync(values.out, `${line}\n`);
}

function addressOf(seed, changes = {}) {
  const query = new URLSearchParams({
    v: '1',
    preset: values.preset,
    ...batchOf,
    'training.max_iters': values.steps,
    'training.seed': seed,
    'training.eval_interval': values.steps,
    'training.eval_iters': EVAL_ITERS,
    'sampling.sample_interval': '0',
    'runtime.backend': 'wasm',
    'runtime.autosave_interval': '0',
    ...changes,
  });
  return `index.html?${query}`;
}

function newLaptop(name) {
  const laptop = new Laptop({
    chromium,
    executable,
    flags: FLAGS,
    folder: mkdtempSync(join(folder, 'laptop-')),
    url: server.url,
    name,
  });
  launched.push(laptop);
  return laptop;
}

/** Whether a laptop has the room's model. One that has lost its connection is let in again. */
async function isOver(laptop, host) {
  if (laptop !== host && (await laptop.needsCode())) {
    console.error(`${laptop.name} has lost its connection, and gets another code.`);
    await host.letIn(laptop);
  }
  return laptop.isOver();
}

const ARMS = {
  async single(seed) {
    const changes = {
      headless: '1',
      autostart: '1',
      'training.batch_size': String(batch_size * members),
    };
    const laptop = await newLaptop('Single').open(addressOf(seed, changes));
    await laptop.page.evaluate(() => {
      window.records = [];
      window.terrarium.onRecord((record) => window.records.push(record));
    });
    const loss = await until(
      'The end of the run',
      () =>
        laptop.page.evaluate(
          (step) =>
            window.records.find((one) => one.step === step && 'val/loss' in one)?.['val/loss'],
          facts.steps,
        ),
      LIMIT,
    );
    await laptop.close();
    return [loss];
  },

  async pool(seed) {
    const host = newLaptop('Member 1');
    const laptops = [host];
    const step = (what, action) => telling(`Room of seed ${seed}, ${what}`, laptops, action);
    await step('creating it', async () => {
      await host.open(`${addressOf(seed)}#together`);
      await host.create({
        'Local steps (H)': values['local-steps'],
        'Outer learning rate': OUTER_LEARNING_RATE,
        'Outer momentum': values.momentum,
      });
    });
    for (let i = 2; i <= members; i++) {
      const laptop = newLaptop(`Member ${i}`);
      laptops.push(laptop);
      await step(`letting ${laptop.name} in`, async () => {
        await laptop.open('index.html#together');
        await host.letIn(laptop);
      });
    }
    await step('members getting ready', async () => {
      await until('Members', async () => (await host.count('ready')) >= members, LIMIT);
      await host.start();
    });
    for (const laptop of laptops) {
      await step(`training until ${laptop.name} is done`, () =>
        until(laptop.name, () => isOver(laptop, host), LIMIT),
      );
    }
    const loss = await step('reading the last loss', () => host.lastLoss());
    for (const laptop of laptops) await laptop.close();
    return [loss];
  },

  async alone(seed) {
    const options = Object.entries({ ...facts, seeds: seed, arms: 'alone' });
    const known = ['preset', 'members', 'steps', 'seeds', 'arms'];
    const args = options
      .filter(([key]) => known.includes(key))
      .map(([key, value]) => `--${key}=${value}`);
    const text = await outputOf(process.execPath, [
      'dist-pool/learning.js',
      ...args,
      ...values.set.map((change) => `--set=${change}`),
    ]);
    return JSON.parse(text.trim().split('\n').at(-1)).losses;
  },
};

function outputOf(command, args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.once('error', failed);
    child.once('close', (code) =>
      code === 0 ? done(text) : failed(new Error(`${args[0]} exited with ${code}.`)),
    );
  });
}

async function runSeed(seed) {
  const arms = values.arms.split(',');
  const losses = {};
  async function run(arm) {
    const began = performance.now();
    losses[arm] = await ARMS[arm](seed);
    const seconds = Math.round((performance.now() - began) / 1000);
    const by = arm === 'alone' ? 'node' : 'browser';
    print({ arm, ...facts, seed: Number(seed), losses: losses[arm], by, seconds });
  }
  // A room has the processor for itself: a page that gets none of it counts as asleep.
  if (arms.includes('pool')) await run('pool');
  await Promise.all(arms.filter((arm) => arm !== 'pool').map(run));
  if (!arms.includes('pool')) return;
  const { single, pool, alone } = losses;
  print({
    seed: Number(seed),
    against_single: single && pool[0] / single[0] - 1,
    against_best_alone: alone && pool[0] / Math.min(...alone) - 1,
  });
}

let status;
try {
  await Promise.all(values.seeds.split(',').map(runSeed));
  status = 0;
} finally {
  await Promise.all(launched.map((laptop) => laptop.close()));
  server.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(status);
