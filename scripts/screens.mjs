/**
 * Photographs the page in each of its states over the scripted worker of src/testing, at two widths
 * and in both colour schemes, into test-results/screens.
 *
 *     node scripts/screens.mjs                  all pictures
 *     node scripts/screens.mjs training done    these states
 *     WIDTHS=1440 SCHEMES=dark node scripts/screens.mjs
 *     node scripts/screens.mjs --docs           the pictures of docs/states: smaller, as JPEG
 */
import { mkdir } from 'node:fs/promises';
import { expect } from '@playwright/test';
import { chromium } from 'playwright';
import { createServer } from 'vite';
import { findInstalled } from './browser.mjs';
import { freePort } from './port.mjs';

const forDocs = process.argv.includes('--docs');
const OUT = forDocs ? 'docs/states' : 'test-results/screens';
const DOCS_STATES = ['before', 'training', 'paused', 'failed', 'done'];
/** Of the wide pictures of docs/states, which are small enough to be kept in the repository. */
const DOCS_SCALE = 0.75;
const WIDTHS = (process.env.WIDTHS ?? '1440,390').split(',').map(Number);
const SCHEMES = (process.env.SCHEMES ?? 'light,dark').split(',');
const HEIGHT = 900;
/** The whole picture of a narrow page is at most this high, in CSS pixels. */
const MAX_HEIGHT = 1400;

const sentence = (page) => page.getByTestId('state-sentence');
const card = (page) => page.getByTestId('preset-names');
const train = (page) =>
  card(page)
    .getByRole('button', { name: /^Train/ })
    .click();
/** Waits until the state sentence matches, then until the charts show that state. */
async function until(page, pattern) {
  await expect(sentence(page)).toContainText(pattern, { timeout: 60_000 });
  await page.waitForTimeout(2000);
}

/** By name: the scenario of the scripted worker, its speed, and what a person does. */
const STATES = {
  first: { fake: 'first', go: (page) => page.waitForTimeout(1000) },
  before: {
    fake: 'run',
    go: async (page) => {
      await card(page)
        .getByRole('button', { name: /^Customize/ })
        .click();
      await page.waitForTimeout(2000);
    },
  },
  training: {
    fake: 'run',
    go: async (page) => {
      await train(page);
      await until(page, /Step (1[5-9]|[2-9]\d)\d/);
    },
  },
  paused: {
    fake: 'run',
    go: async (page) => {
      await train(page);
      await until(page, /Step 1\d\d/);
      await page.keyboard.press('Space');
      await until(page, /^Paused/);
      await page.locator('#step-slider').press('ArrowLeft');
    },
  },
  failed: {
    fake: 'nan',
    speed: 3,
    go: async (page) => {
      await train(page);
      await until(page, /^Training stopped/);
    },
  },
  done: {
    fake: 'run',
    speed: 3,
    go: async (page) => {
      await train(page);
      await until(page, /^Done/);
      await page.getByTestId('spark-grad').click();
      await page.getByTestId('spark-accuracy').click();
      await page.mouse.move(0, 0);
      await page.waitForTimeout(1500);
    },
  },
};

async function photograph(browser, base, { name, width, colorScheme }) {
  const { fake, go, speed = 1 } = STATES[name];
  const page = await browser.newPage({
    viewport: { width, height: HEIGHT },
    deviceScaleFactor: forDocs && width > 900 ? DOCS_SCALE : 1,
    colorScheme,
  });
  await page.goto(`${base}/src/testing/fake.html?fake=${fake}&speed=${speed}`);
  await sentence(page).waitFor();
  await go(page);
  // Charts outside the window are not drawn, so that the window grows before the picture.
  const content = await page.evaluate('document.documentElement.scrollHeight');
  if (content > HEIGHT && !forDocs) {
    await page.setViewportSize({ width, height: Math.min(content, MAX_HEIGHT) });
    await page.evaluate('window.scrollTo(0, 0)');
    await page.waitForTimeout(2000);
  }
  const path = `${OUT}/${name}-${width}-${colorScheme}.${forDocs ? 'jpg' : 'png'}`;
  await page.screenshot(forDocs ? { path, type: 'jpeg', quality: 60 } : { path });
  console.log(path);
  await page.close();
}

const given = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const wanted = forDocs && given.length === 0 ? DOCS_STATES : given;
const names = Object.keys(STATES).filter((name) => wanted.length === 0 || wanted.includes(name));
await mkdir(OUT, { recursive: true });
const port = await freePort();
const server = await createServer({
  logLevel: 'error',
  server: { port, host: '127.0.0.1', strictPort: true },
});
await server.listen();
const browser = await chromium.launch({
  executablePath: process.env.BROWSER_PATH ?? findInstalled()?.path,
  args: ['--no-sandbox'],
});
for (const name of names)
  for (const width of WIDTHS)
    for (const colorScheme of SCHEMES)
      await photograph(browser, `http://127.0.0.1:${port}`, { name, width, colorScheme });
await browser.close();
await server.close();
