/**
 * A room of Firefox and Chromium on this machine, on the page's own Content-Security-Policy: each is
 * the host once, over ws: and over wss: (with a certificate that openssl makes). Puppeteer drives both,
 * since Playwright does not drive an installed Firefox. Prints a JSON line for each room.
 *
 *     npx vite build
 *     node bench/pool/firefox.mjs [--out FILE]
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';
import { findBrowser } from '../../scripts/browser.mjs';
import { findFirefox } from '../../scripts/firefox.mjs';
import { freePort } from '../../scripts/port.mjs';
import { serveRoom } from '../../scripts/room.mjs';
import { until } from './laptop.mjs';

const { values } = parseArgs({ options: { out: { type: 'string' } } });

const RECIPE = new URLSearchParams({
  v: '1',
  preset: 'names',
  'model.n_layer': '1',
  'training.max_iters': '20',
  'training.eval_iters': '2',
  'sampling.sample_interval': '0',
  'runtime.backend': 'wasm',
});

const firefox = findFirefox();
if (!firefox) throw new Error('Install Firefox, or set FIREFOX_PATH.');
const chromium = findBrowser(console.error);
const folder = mkdtempSync(join(tmpdir(), 'terrarium-firefox-'));

const LAUNCH = {
  firefox: () => ({
    browser: 'firefox',
    executablePath: firefox.path,
    userDataDir: mkdtempSync(join(folder, 'profile-')),
  }),
  chromium: () => ({
    browser: 'chrome',
    executablePath: chromium.path,
    args: ['--no-sandbox', '--disable-gpu'],
    userDataDir: mkdtempSync(join(folder, 'profile-')),
  }),
};

/** A certificate for this machine, which browsers have to be told to accept. */
function certificate() {
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const request = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=room',
  ];
  const name = ['-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', [...request, ...name, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key, cert };
}

async function open(kind, address) {
  const options = { ...LAUNCH[kind](), headless: true, acceptInsecureCerts: true };
  const browser = await puppeteer.launch(options);
  const page = await browser.newPage();
  await page.goto(address);
  return { browser, page };
}

/** Clicks the button with this text, once it is enabled. */
const click = (page, text) =>
  until(text, () =>
    page.evaluate((wanted) => {
      const buttons = [...window.document.querySelectorAll('button:not([disabled])')];
      const found = buttons.find((button) => button.textContent.trim() === wanted);
      found?.click();
      return found !== undefined;
    }, text),
  );

const textOf = (page, id) =>
  page.evaluate(
    (one) => window.document.querySelector(`[data-testid="${one}"]`)?.innerText ?? '',
    id,
  );

async function train({ scheme, host: hosting, member: joining }) {
  const port = await freePort();
  const files = scheme === 'https' ? certificate() : {};
  const server = await serveRoom({ host: '127.0.0.1', port, ...files });
  const url = `${scheme}://127.0.0.1:${port}/`;
  const host = await open(hosting, `${url}?${RECIPE}#together`);
  await click(host.page, 'Create the room');
  const code = await until('Letters', () => textOf(host.page, 'room-code'));
  const member = await open(joining, `${url}#together/${code}`);
  await click(member.page, 'Join');
  const ready = async () => (await textOf(host.page, 'members')).split('ready').length > 2;
  await until('Two members', ready);
  await click(host.page, 'Start training');
  for (const { page } of [host, member]) {
    await until('The end', async () => (await textOf(page, 'room-sentence')).includes('is over'));
  }
  const sentence = await textOf(member.page, 'room-sentence');
  const loss = await host.page.evaluate(
    () => /Validation loss [^.]+\.\d+/u.exec(window.document.body.innerText)?.[0],
  );
  await Promise.all([host.browser.close(), member.browser.close()]);
  await server.close();
  return { scheme, host: hosting, member: joining, sentence, loss };
}

const ROOMS = [
  { scheme: 'http', host: 'firefox', member: 'firefox' },
  { scheme: 'https', host: 'firefox', member: 'chromium' },
  { scheme: 'https', host: 'chromium', member: 'firefox' },
];

if (values.out) writeFileSync(values.out, '');
function print(record) {
  const line = JSON.stringify(record);
  console.log(line);
  if (values.out) appendFileSync(values.out, `${line}\n`);
}

print({ firefox: firefox.version, chromium: chromium.version });
for (const room of ROOMS) print(await train(room));
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
process.exit(0);
