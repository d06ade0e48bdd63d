/**
 * From Train to the first loss on the built page, as a visitor presses it: in a browser that has
 * just been started (no pipeline is cached), once more in the same page, and in a second page of
 * the same browser.
 *
 *     npm run build && node bench/start.mjs [names,classic]          (BROWSER_GPU=1 on a machine with a GPU)
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveFolder } from './drive.mjs';

/**
 * Rows `{ preset, start, press, device, ... first_loss }`, milliseconds from Train. `launch` starts
 * a browser with a profile of its own; `keep` is given the rows so far.
 */
export async function startTimes({
  launch,
  folder,
  presets,
  seconds,
  log,
  keep = () => undefined,
}) {
  const server = await serveFolder(folder);
  const rows = [];
  try {
    for (const preset of presets) {
      const browser = await launch();
      try {
        const context = await browser.newContext();
        const note = (start, marks) => {
          const row = { preset, start, ...rounded(marks) };
          rows.push(row);
          keep(rows);
          log(JSON.stringify(row));
        };
        const page = await open(context, server.url, seconds, log);
        note(
          'cold',
          await press(
            page,
            () => page.click(`[data-testid=preset-${preset}] button:has-text("Train")`),
            seconds,
          ),
        );
        await ended(page, seconds);
        note(
          'again',
          await press(
            page,
            () => page.click('[aria-label=Training] button:has-text("Train")'),
            seconds,
          ),
        );
        await ended(page, seconds);
        await page.close();
        const other = await open(context, server.url, seconds, log);
        note(
          'new page',
          await press(
            other,
            () => other.click(`[data-testid=preset-${preset}] button:has-text("Train")`),
            seconds,
          ),
        );
      } finally {
        await browser.close();
      }
    }
    return rows;
  } finally {
    server.close();
  }
}

const rounded = (marks) =>
  Object.fromEntries(Object.entries(marks).map(([name, ms]) => [name, Math.round(10 * ms) / 10]));

/** The first visit, its device tried and measured: what a person sees who then presses Train. */
async function open(context, url, seconds, log) {
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') log(message.text().slice(0, 300));
  });
  await page.goto(`${url}index.html?headless=1`);
  await page.waitForFunction(
    () =>
      /estimated/u.test(
        window.document.querySelector('[data-testid=preset-time]')?.textContent ?? '',
      ),
    undefined,
    { timeout: 1000 * seconds },
  );
  return page;
}

async function press(page, click, seconds) {
  await click();
  await page.waitForFunction(
    () =>
      window.terrarium.status().start.first_loss !== undefined ||
      window.terrarium.status().error !== null,
    undefined,
    { timeout: 1000 * seconds, polling: 50 },
  );
  const { start, error } = await page.evaluate(() => window.terrarium.status());
  if (error) throw new Error(`${error.message} ${error.hint}`);
  return start;
}

/** Stops the run, unless it has ended by itself. */
async function ended(page, seconds) {
  await page.evaluate(() => {
    window.document.querySelector('[aria-label=Training] button[aria-label=Stop]')?.click();
  });
  await page.waitForFunction(() => window.terrarium.status().finished !== null, undefined, {
    timeout: 1000 * seconds,
  });
}

/* The command line; a GPU machine without node_modules comes in by gpu_start.cjs. */
if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { chromium } = await import('playwright');
  const { findBrowser } = await import('../scripts/browser.mjs');
  const { launchOptions } = await import('../scripts/flags.mjs');
  const found = findBrowser((line) => console.error(line));
  const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
  await startTimes({
    launch: () => chromium.launch(launchOptions(found.path)),
    folder,
    presets: (process.argv[2] ?? 'names').split(','),
    seconds: 300,
    log: (line) => console.log(line),
  });
}
