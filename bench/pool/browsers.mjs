/**
 * A room of real browsers over WebRTC on this machine: first undisturbed, then with accidents. Each
 * member is a browser with a process and a profile of its own. Each accident happens at a random moment
 * of one of `--accidents` equal parts of the run. In a random order, each of them happens to each
 * browser, the host's among them; further ones are drawn:
 *
 *     kill        SIGKILL; the host comes back on its profile, a member is replaced by a new laptop
 *     freeze      SIGSTOP for 2 to 10 seconds
 *     disconnect  all WebRTC connections break, and new ones for 2 to 10 seconds
 *     reload      the page is loaded again
 *
 * Half-way through the room with accidents another laptop joins. At the end all pages of a room must
 * have saved the same weights, and the undisturbed room must have sent the bytes of the formula.
 * Prints JSON lines, also to `--out`, and exits with 1 if a room does not end as it should.
 *
 *     npx vite build
 *     node bench/pool/browsers.mjs [--members 4] [--steps 2500] [--local-steps 10] [--accidents 20]
 *         [--seed 1] [--out FILE] [--set model.n_embd=64]...
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
import { Laptop, until, wait } from './laptop.mjs';
import { bytesOfRounds, membersOf, savedWeights } from './outcome.mjs';

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '4' },
    steps: { type: 'string', default: '2500' },
    'local-steps': { type: 'string', default: '10' },
    accidents: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});

/** Of the undisturbed room's validation loss: how far the other one may end from it. */
const TOLERANCE = 0.03;
/** A room takes no longer than this, seconds. */
const LIMIT = 600;

const members = Number(values.members);
const rounds = Math.ceil(Number(values.steps) / Number(values['local-steps']));

if (values.out) writeFileSync(values.out, '');
function print(record) {
  const line = JSON.stringify(record);
  console.log(line);
  if (values.out) appendFileSync(values.out, `${line}\n`);
}

let state = Number(values.seed) >>> 0;
function random(most) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * most);
}

const { path: executable, version } = findBrowser(console.error);
const port = await freePort();
const server = await serveRoom({ host: '127.0.0.1', port });
const folder = mkdtempSync(join(tmpdir(), 'terrarium-room-'));
const launched = [];

const query = new URLSearchParams({
  v: '1',
  preset: 'names',
  'model.n_embd': '32',
  'training.eval_iters': '50',
  'training.max_iters': values.steps,
  'training.seed': values.seed,
  'sampling.sample_interval': '0',
  'runtime.backend': 'wasm',
});
for (const change of values.set) query.set(...change.split('='));

/** A laptop on which nobody has opened the page yet. */
function newLaptop(name) {
  const laptop = new Laptop({
    chromium,
    executable,
    flags: browserFlags,
    folder: mkdtempSync(join(folder, 'laptop-')),
    url: `http://127.0.0.1:${port}/`,
    name,
  });
  launched.push(laptop);
  return laptop;
}

async function newMember(code, name) {
  const laptop = await newLaptop(name).open(`#together/${code}`);
  await laptop.join();
  return laptop;
}

/** A room whose members are ready: its letters and its laptops, the host first. */
async function newRoom() {
  const host = await newLaptop('Member 1').open(`?${query}#together`);
  const code = await host.create({ 'Local steps (H)': values['local-steps'] });
  const laptops = [host];
  for (let i = 2; i <= members; i++) laptops.push(await newMember(code, `Member ${i}`));
  await until('Members', async () => (await host.count('ready')) >= members);
  return { code, laptops };
}

const ACCIDENTS = {
  async kill(room, index) {
    await room.laptops[index].kill();
    if (index > 0) {
      room.laptops[index] = await newMember(room.code, room.laptops[index].name);
      return;
    }
    await room.laptops[0].open(`#together`);
    await room.laptops[0].reopen();
  },
  freeze: (room, index) => room.laptops[index].freeze(2 + random(9)),
  disconnect: (room, index) => room.laptops[index].disconnect(2 + random(9)),
  async reload(room, index) {
    await room.laptops[index].page.reload();
    if (index === 0) await room.laptops[0].reopen();
    else await room.laptops[index].join();
  },
};

/** Waits until the room has reached a round, or has ended, which returns false. */
async function reached(host, round) {
  for (;;) {
    if (await host.isOver()) return false;
    if ((await host.round()) >= round) return true;
    await wait(100);
  }
}

/** Kinds of accidents and the laptops that they happen to, by index: all of them, shuffled, then any. */
function drawAccidents(count) {
  const all = Object.keys(ACCIDENTS).flatMap((kind) =>
    Array.from({ length: members }, (_, index) => ({ kind, index })),
  );
  while (all.length < count) all.push(all[random(all.length)]);
  for (let i = all.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [all[i], all[j]] = [all[j], all[i]];
  }
  return all.slice(0, count);
}

/** Lets accidents happen. Returns how many there were of each kind, and for each member. */
async function strike(room, accidents) {
  const part = rounds / (accidents + 1);
  const counts = {};
  for (const [i, { kind, index }] of drawAccidents(accidents).entries()) {
    if (!(await reached(room.laptops[0], Math.ceil((i + 0.5 + random(100) / 100) * part)))) break;
    if (i === Math.floor(accidents / 2)) room.laptops.push(await newMember(room.code, 'Late'));
    const before = await room.laptops[0].sentence();
    print({ accident: i + 1, kind, member: index + 1, before });
    await ACCIDENTS[kind](room, index);
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** Waits for the end of the room on all pages. Returns what it came to. */
async function outcome({ laptops }, began) {
  const [host] = laptops;
  for (const laptop of laptops) await until(laptop.name, () => laptop.isOver(), LIMIT);
  const val_loss = await host.lastLoss();
  const wires = await Promise.all(laptops.map((laptop) => laptop.wire()));
  const weights = await Promise.all(laptops.map(({ page }) => page.evaluate(savedWeights)));
  const { plan } = wires[0];
  return {
    members: await host.page.getByTestId('members').evaluate(membersOf),
    seconds: Math.round((performance.now() - began) / 1000),
    n_params: plan.n_params,
    local_steps: plan.local_steps,
    steps: plan.steps,
    val_loss,
    equal_weights: new Set(weights).size === 1,
    weights: weights[0],
    bytes: bytesOfRounds(wires),
  };
}

async function undisturbed() {
  const room = await newRoom();
  const began = performance.now();
  await room.laptops[0].start();
  const result = await outcome(room, began);
  print({ room: 'undisturbed', ...result });
  await Promise.all(room.laptops.map((laptop) => laptop.close()));
  return result;
}

async function disturbed() {
  const room = await newRoom();
  const began = performance.now();
  await room.laptops[0].start();
  const counts = await strike(room, Number(values.accidents));
  const result = await outcome(room, began);
  // Bytes of pages that were killed are not known.
  print({ room: 'with accidents', accidents: counts, ...result, bytes: undefined });
  return { ...result, counts };
}

async function main() {
  print({ browser: version, query: query.toString(), date: new Date().toISOString().slice(0, 10) });
  const calm = await undisturbed();
  const rough = await disturbed();
  const happened = Object.values(rough.counts).reduce((sum, count) => sum + count, 0);
  const difference = rough.val_loss / calm.val_loss - 1;
  const passed = {
    all_accidents: happened === Number(values.accidents),
    loss: Math.abs(difference) <= TOLERANCE,
    equal_weights: calm.equal_weights && rough.equal_weights,
    bytes:
      calm.bytes.received_a_round === calm.bytes.expected.received &&
      calm.bytes.sent_a_round === calm.bytes.expected.sent,
  };
  print({ difference, passed });
  return Object.values(passed).every(Boolean) ? 0 : 1;
}

let status;
try {
  status = await main();
} finally {
  await Promise.all(launched.map((laptop) => laptop.close()));
  await server.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(status);
