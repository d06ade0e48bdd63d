/**
 * A room of real pages over WebRTC on this machine, with accidents: pages are reloaded, frozen and
 * closed at random, the host's own page among them. Prints what happened as JSON lines.
 *
 *     npx vite build
 *     node bench/pool/browsers.mjs [--members 4] [--steps 400] [--accidents 20] [--seed 1]
 *         [--set model.n_embd=32]...
 */
import { parseArgs } from 'node:util';
import { chromium } from 'playwright';
import { findBrowser } from '../../scripts/browser.mjs';
import { launchOptions } from '../../scripts/flags.mjs';
import { freePort } from '../../scripts/port.mjs';
import { serveRoom } from '../../scripts/room.mjs';

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '4' },
    steps: { type: 'string', default: '400' },
    accidents: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    set: { type: 'string', multiple: true, default: [] },
  },
});

const SECOND = 1000;
const print = (record) => console.log(JSON.stringify(record));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

let state = Number(values.seed) >>> 0;
const random = (most) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * most);
};

const port = await freePort();
const server = await serveRoom({ host: '127.0.0.1', port });
const url = `http://127.0.0.1:${port}/`;
const browser = await chromium.launch(launchOptions(findBrowser(console.error).path));

const query = new URLSearchParams({
  v: '1',
  preset: 'names',
  'training.max_iters': values.steps,
  'sampling.sample_interval': '0',
  'runtime.backend': 'wasm',
});
for (const change of values.set) query.set(...change.split('='));

async function open(address) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(120 * SECOND);
  await page.goto(url + address);
  return page;
}

async function join(page, name) {
  await page.getByLabel('Your name in the room').last().fill(name);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
}

const sentenceOf = (page) =>
  page.getByTestId('room-sentence').textContent({ timeout: 60 * SECOND });

const host = await open(`?${query}#together`);
await host.getByLabel('Your name in the room').first().fill('Member 1');
await host.getByRole('button', { name: 'Create the room' }).click();
const code = await host.getByTestId('room-code').textContent();
const pages = [host];
for (let i = 2; i <= Number(values.members); i++) {
  const page = await open(`#together/${code}`);
  await join(page, `Member ${i}`);
  pages.push(page);
}
const ready = host.getByTestId('members').getByRole('cell', { name: 'ready', exact: true });
while ((await ready.count()) < pages.length) await wait(SECOND / 4);
const began = performance.now();
await host.getByRole('button', { name: 'Start training' }).click();

async function reload(index) {
  const page = pages[index];
  await page.reload();
  if (index === 0) await page.getByRole('button', { name: 'Open it again' }).click();
  else await join(page, `Member ${index + 1}`);
  if (index > 0) return;
  const start = page.getByRole('button', { name: /^(Start training|Go on)$/u });
  await start.click();
}

async function freeze(index) {
  const session = await pages[index].context().newCDPSession(pages[index]);
  await session.send('Page.setWebLifecycleState', { state: 'frozen' });
  await wait((2 + random(10)) * SECOND);
  await session.send('Page.setWebLifecycleState', { state: 'active' });
}

/** The page is gone at once, and another one joins in its place. */
async function kill(index) {
  if (index === 0) return reload(0);
  await pages[index].context().close();
  pages[index] = await open(`#together/${code}`);
  await join(pages[index], `Member ${index + 1}`);
}

const ACCIDENTS = { reload, freeze, kill };
for (let i = 0; i < Number(values.accidents); i++) {
  await wait((1 + random(3)) * SECOND);
  if ((await sentenceOf(host)).includes('saved as a run')) break;
  const kind = Object.keys(ACCIDENTS)[random(3)];
  const index = random(pages.length);
  print({ accident: i + 1, kind, member: index + 1, before: await sentenceOf(host) });
  await ACCIDENTS[kind](index);
}
for (const page of pages) {
  await page
    .getByTestId('room-sentence')
    .filter({ hasText: 'saved as a run' })
    .waitFor({ timeout: 300 * SECOND });
}
print({
  members: pages.length,
  seconds: Math.round((performance.now() - began) / SECOND),
  summary: await host
    .getByText(/Validation loss/u)
    .last()
    .textContent(),
  rows: await host.getByTestId('members').getByRole('row').allTextContents(),
});
await browser.close();
await server.close();
process.exit(0);
