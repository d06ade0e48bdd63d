/**
 * Validation losses of the built page after a number of steps of a preset, in each precision: mixed
 * precision must reach the loss of float32. gpu_all.cjs runs it on a GPU machine; here:
 *
 *     npm run build && node bench/validation.mjs names 200      (BROWSER_GPU=1 on a machine with a GPU)
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveFolder } from './drive.mjs';

/**
 * Returns rows `{ validation: preset, precision, steps, loss, stepMs, seconds, adapter }`. `loss` is
 * in nats per token, `stepMs` the page's own step time (median of the second half). A run that fails
 * has `error`.
 *
 * @param launch starts a browser with a new profile
 * @param folder the built page
 * @param presets ids of presets
 * @param precisions values of training.mixed_precision
 * @param steps training steps
 * @param seconds time limit of each run
 * @param log receives lines
 * @param keep receives the rows so far
 */
export async function validationLosses(options) {
  const { launch, folder, presets, precisions, steps, seconds, log } = options;
  const { keep = () => undefined } = options;
  const server = await serveFolder(folder);
  const rows = [];
  try {
    const runs = presets.flatMap((preset) => precisions.map((precision) => [preset, precision]));
    for (const [preset, precision] of runs) {
      const browser = await launch();
      const row = { validation: preset, precision, steps };
      try {
        Object.assign(row, await train(await browser.newPage(), server.url, row, seconds));
      } catch (error) {
        row.error = error.message.split('\n')[0];
      } finally {
        await browser.close();
      }
      rows.push(row);
      keep(rows);
      log(JSON.stringify(row));
    }
    return rows;
  } finally {
    server.close();
  }
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Trains and returns the last validation loss; throws the page's error if there is one. */
async function train(page, url, { validation, precision, steps }, seconds) {
  const query = new URLSearchParams({
    v: '1',
    headless: '1',
    autostart: '1',
    preset: validation,
    'runtime.backend': 'webgpu',
    'training.mixed_precision': precision,
    'training.max_iters': String(steps),
    'training.eval_interval': String(steps),
    'sampling.sample_interval': String(steps),
  });
  const timeout = 1000 * seconds;
  await page.goto(`${url}index.html?${query}`);
  await page.waitForFunction(() => window.terrarium !== undefined, undefined, { timeout });
  await page.evaluate(() => {
    window.validation = [];
    window.times = [];
    window.terrarium.onRecord((record) => {
      if (record['val/loss'] !== undefined) window.validation.push(record);
      if (record.step_ms !== undefined) window.times.push(record.step_ms);
    });
  });
  const begin = Date.now();
  const hasEnded = () => {
    const { finished, error } = window.terrarium.status();
    return finished !== null || error !== null;
  };
  await page.waitForFunction(hasEnded, undefined, { timeout, polling: 200 });
  const { error, device } = await page.evaluate(() => window.terrarium.status());
  const { last, times } = await page.evaluate(() => ({
    last: window.validation.at(-1),
    times: window.times.slice(Math.floor(window.times.length / 2)),
  }));
  if (error) throw new Error(`${error.message} ${error.hint}`);
  if (last?.step !== steps)
    throw new Error(`The last validation was at step ${last?.step}, not ${steps}.`);
  return {
    loss: last['val/loss'],
    stepMs: median(times),
    seconds: (Date.now() - begin) / 1000,
    adapter: device?.adapter ?? null,
  };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { chromium } = await import('playwright');
  const { findBrowser } = await import('../scripts/browser.mjs');
  const { launchOptions } = await import('../scripts/flags.mjs');
  const { validationTable } = await import('./table.mjs');
  const found = findBrowser((line) => console.error(line));
  const rows = await validationLosses({
    launch: () => chromium.launch(launchOptions(found.path)),
    folder: join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist'),
    presets: (process.argv[2] ?? 'names').split(','),
    precisions: ['no', 'fp16'],
    steps: Number(process.argv[3] ?? 200),
    seconds: 600,
    log: (line) => console.error(line),
  });
  console.log(validationTable(rows));
}
