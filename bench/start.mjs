/**
 * Measures the time from Train to the first loss on the built page: in a browser that has just been
 * launched (no pipeline is cached), again in the same page, and in a second page of that browser.
 *
 *     npm run build && node bench/start.mjs [names,classic]     (BROWSER_GPU=1 on a machine with a GPU)
 *
 * The preset `large` is a model of 86 million parameters, started once, by its address. A second
 * argument ends each start at a mark before the first loss: with `traced`, weights are drawn and the
 * programs are traced, and slow compilers in software are not waited for. A third one is a backend.
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveFolder } from './drive.mjs';

/** GPT-2 small with the vocabulary of a text's characters: 86 million parameters. */
const LARGE = {
  v: '1',
  preset: 'novel_char',
  'model.n_layer': '12',
  'model.n_head': '12',
  'model.n_embd': '768',
  'model.n_inner': '3072',
  'model.block_size': '256',
  'training.batch_size': '4',
};

/**
 * Returns rows `{ preset, start, press, device, ... first_loss }`, in milliseconds after Train.
 *
 * @param launch starts a browser with a new profile
 * @param folder the built page
 * @param presets ids of presets
 * @param seconds time limit of each wait
 * @param until mark that ends a start; the first loss if missing
 * @param backend of `large`; the page chooses if missing
 * @param log receives lines
 * @param keep receives the rows so far
 */
export async function startTimes(options) {
  const { launch, folder, presets, seconds, log, until, backend, keep = () => undefined } = options;
  const server = await serveFolder(folder);
  const rows = [];
  try {
    for (const preset of presets) {
      const browser = await launch();
      const note = (start, marks) => {
        const row = { preset, start, ...rounded(marks) };
        rows.push(row);
        keep(rows);
        log(JSON.stringify(row));
      };
      try {
        const measured = { browser, url: server.url, preset, seconds, log, note, until, backend };
        await (preset === 'large' ? measureLarge(measured) : measurePreset(measured));
      } finally {
        await browser.close();
      }
    }
    return rows;
  } finally {
    server.close();
  }
}

/** `note` receives each kind of start with its times. */
async function measurePreset({ browser, url, preset, seconds, log, note, until }) {
  const context = await browser.newContext();
  const presetButton = `[data-testid=preset-${preset}] button:has-text("Train")`;
  const trainButton = '[aria-label=Training] button:has-text("Start new run")';
  const first = await openPage(context, url, seconds, log);
  const press = (page, button) => train(page, { button, seconds, until });
  note('cold', await press(first, presetButton));
  await stop(first, seconds);
  note('again', await press(first, trainButton));
  await stop(first, seconds);
  await first.close();
  const second = await openPage(context, url, seconds, log);
  note('new page', await press(second, presetButton));
}

/** The page of an address presses Train by itself. */
async function measureLarge({ browser, url, seconds, log, note, until, backend }) {
  const query = new URLSearchParams({ ...LARGE, headless: '1', autostart: '1' });
  if (backend) query.set('runtime.backend', backend);
  const page = await browser.newPage();
  logErrors(page, log);
  await page.goto(`${url}index.html?${query}`);
  note('cold', await waitFor(page, { seconds, until }));
}

const rounded = (marks) =>
  Object.fromEntries(Object.entries(marks).map(([name, ms]) => [name, Math.round(10 * ms) / 10]));

/** Opens the page and waits until it has measured the device, as a visitor does before Train. */
async function openPage(context, url, seconds, log) {
  const page = await context.newPage();
  logErrors(page, log);
  await page.goto(`${url}index.html?headless=1`);
  const isEstimated = () => {
    const time = window.document.querySelector('[data-testid=preset-time]');
    return time !== null && !/measuring/u.test(time.textContent ?? '');
  };
  await page.waitForFunction(isEstimated, undefined, { timeout: 1000 * seconds });
  return page;
}

function logErrors(page, log) {
  page.on('console', (message) => {
    if (message.type() === 'error') log(message.text().slice(0, 300));
  });
}

/** Presses Train and waits for the end of the start. */
async function train(page, { button, seconds, until }) {
  await page.click(button);
  return waitFor(page, { seconds, until });
}

/** Waits for the first loss, or for a mark before it; throws the page's error if there is one. */
async function waitFor(page, { seconds, until = 'first_loss' }) {
  const hasMarkOrError = (mark) => {
    const { start, error } = window.terrarium.status();
    return start[mark] !== undefined || error !== null;
  };
  const options = { timeout: 1000 * seconds, polling: 50 };
  await page.waitForFunction(hasMarkOrError, until, options);
  const { start, error } = await page.evaluate(() => window.terrarium.status());
  if (error) throw new Error(`${error.message} ${error.hint}`);
  return start;
}

/** Stops the run if it has not finished. */
async function stop(page, seconds) {
  await page.evaluate(() => {
    window.document.querySelector('[aria-label=Training] button[aria-label=Stop]')?.click();
  });
  await page.waitForFunction(() => window.terrarium.status().finished !== null, undefined, {
    timeout: 1000 * seconds,
  });
}

// The command line. A GPU machine without node_modules uses gpu_start.cjs.
if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { chromium } = await import('playwright');
  const { findBrowser } = await import('../scripts/browser.mjs');
  const { launchOptions } = await import('../scripts/flags.mjs');
  const found = findBrowser((line) => console.error(line));
  await startTimes({
    launch: () => chromium.launch(launchOptions(found.path)),
    folder: join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist'),
    presets: (process.argv[2] ?? 'names').split(','),
    until: process.argv[3],
    backend: process.argv[4],
    seconds: 300,
    log: (line) => console.log(line),
  });
}
