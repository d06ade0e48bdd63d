/**
 * Laptops of a room that sleep for long: browsers on this machine, each with a process and a profile of
 * its own, over WebRTC. A member that joined by letters is stopped (SIGSTOP) for `--seconds`, then one
 * that joined by a code, then the host. The room has to go on without a member that sleeps; each laptop
 * has to take part again by itself, the one by a code at most with another code; and all pages have to
 * save the same weights. Prints JSON lines, also to `--out`, and exits with 1 if something does not hold.
 *
 *     npx vite build
 *     node bench/pool/sleep.mjs [--seconds 60] [--steps 30000] [--out FILE]
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { findBrowser } from '../../scripts/browser.mjs';
import { browserFlags } from '../../scripts/flags.mjs';
import { freePort } from '../../scripts/port.mjs';
import { serveRoom } from '../../scripts/room.mjs';
import { Laptop, telling, until } from './laptop.mjs';
import { savedWeights } from './outcome.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    steps: { type: 'string', default: '30000' },
    out: { type: 'string' },
  },
});
const seconds = Number(values.seconds);

/** How long a laptop that wakes may take to train again, seconds. */
const BACK = 60;

if (values.out) writeFileSync(values.out, '');
function print(record) {
  const line = JSON.stringify(record);
  console.log(line);
  if (values.out) appendFileSync(values.out, `${line}\n`);
}

const { path: executable, version } = findBrowser(console.error);
const port = await freePort();
const server = await serveRoom({ host: '127.0.0.1', port });
const folder = mkdtempSync(join(tmpdir(), 'terrarium-sleep-'));
const laptops = [];

const query = new URLSearchParams({
  v: '1',
  preset: 'names',
  'model.n_embd': '32',
  'training.eval_iters': '5',
  'training.max_iters': values.steps,
  'sampling.sample_interval': '0',
  'runtime.backend': 'wasm',
});

function newLaptop(name) {
  const laptop = new Laptop({
    chromium,
    executable,
    flags: browserFlags,
    folder: mkdtempSync(join(folder, 'laptop-')),
    url: `http://127.0.0.1:${port}/`,
    name,
  });
  laptops.push(laptop);
  return laptop;
}

async function newRoom() {
  const host = await newLaptop('Teacher').open(`?${query}#together`);
  const code = await host.create({ 'Local steps (H)': '10' });
  const letters = await newLaptop('By letters').open(`#together/${code}`);
  await letters.join();
  const coded = await newLaptop('By a code').open('#together');
  await host.letIn(coded);
  await until('Members', async () => (await host.count('ready')) >= 3);
  return { host, letters, coded };
}

/** What the host's table says of a member: its state, and the rounds that it was part of. */
async function rowOf(host, name) {
  const row = host.page.getByTestId('members').getByRole('row').filter({ hasText: name });
  const cell = (column) => row.locator(`[data-column=${column}]`).innerText();
  const numberOf = async (column) => Number((await cell(column)).replace(/\D/gu, ''));
  return {
    state: await cell('state'),
    contributed: await numberOf('contributed'),
    refused: await numberOf('refused'),
  };
}

/** Seconds until all of the names have contributed again. `help` is called again and again meanwhile. */
async function secondsUntilBack(host, names, help = () => undefined) {
  const began = Date.now();
  const before = new Map();
  for (const name of names) before.set(name, (await rowOf(host, name)).contributed);
  for (const name of names) {
    const isBack = async () => {
      await help();
      return (await rowOf(host, name)).contributed > before.get(name);
    };
    await until(`${name} after its sleep`, isBack, BACK);
  }
  return (Date.now() - began) / 1000;
}

async function memberSleeps({ host }, laptop, help) {
  const before = await host.round();
  await laptop.freeze(seconds);
  const rounds_without = (await host.round()) - before;
  const { state } = await rowOf(host, laptop.name);
  const back_after = await secondsUntilBack(host, [laptop.name], help);
  print({ sleeps: laptop.name, seconds, shown_as: state, rounds_without, back_after });
  return rounds_without > 2;
}

/** The member by a code is let in again, as a person would, once its page asks for a code. */
function codesFor({ host, coded }) {
  let codes = 0;
  const help = async () => {
    if (codes > 0 || !(await coded.needsCode())) return;
    codes++;
    await host.letIn(coded);
  };
  return { help, used: () => codes };
}

async function hostSleeps(room) {
  const { host, letters } = room;
  const codes = codesFor(room);
  await host.freeze(seconds);
  const sentence = await letters.sentence();
  const names = ['Teacher', 'By letters', 'By a code'];
  const back_after = await secondsUntilBack(host, names, codes.help);
  print({ sleeps: 'Teacher', seconds, members_say: sentence, back_after, codes: codes.used() });
}

async function main() {
  print({ browser: version, query: query.toString(), date: new Date().toISOString().slice(0, 10) });
  const room = await telling('A room', laptops, newRoom);
  const { host, letters, coded } = room;
  await host.start();
  await until('A round', async () => (await host.round()) > 2);
  const held = (what, action) => telling(what, laptops, action);
  const goesOn = [await held('By letters', () => memberSleeps(room, letters))];
  const codes = codesFor(room);
  goesOn.push(await held('By a code', () => memberSleeps(room, coded, codes.help)));
  print({ codes: codes.used() });
  await held('Teacher', () => hostSleeps(room));
  await host.page.getByRole('button', { name: 'End and hand out the model' }).click();
  for (const laptop of laptops) await until(laptop.name, () => laptop.isOver());
  const weights = await Promise.all(laptops.map(({ page }) => page.evaluate(savedWeights)));
  const members = await Promise.all(laptops.map(({ name }) => rowOf(host, name)));
  const passed = {
    goes_on: goesOn.every(Boolean),
    equal_weights: new Set(weights).size === 1,
    nobody_refused: members.every(({ refused }) => refused === 0),
  };
  print({ members, passed });
  return Object.values(passed).every(Boolean) ? 0 : 1;
}

let status;
try {
  status = await main();
} finally {
  await Promise.all(laptops.map((laptop) => laptop.close()));
  await server.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(status);
