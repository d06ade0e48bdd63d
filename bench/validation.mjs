/**
 * Validation losses of the built page after so many steps of a preset, in each precision: mixed
 * precision must come out as f32 does. On a GPU machine gpu_all.cjs runs it; here:
 *
 *     npm run build && node bench/validation.mjs names 200          (BROWSER_GPU=1 on a machine with a GPU)
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveFolder } from './drive.mjs';

/**
 * Rows `{ validation: preset, precision, subgroupMatrices, steps, loss, stepMs, seconds }`, loss in
 * nats a token, stepMs the page's own step time (median of the second half); one that fails has
 * `error`. `keep` is given the rows so far.
 */
export async function validationLosses({
  launch,
  folder,
  presets,
  precisions,
  steps,
  seconds,
  log,
  keep = () => undefined,
}) {
  const server = await serveFolder(folder);
  const rows = [];
  try {
    for (const preset of presets)
      for (const precision of precisions) {
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

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

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
  await page.goto(`${url}index.html?${query}`);
  await page.waitForFunction(() => window.terrarium !== undefined, undefined, {
    timeout: 1000 * seconds,
  });
  await page.evaluate(() => {
    window.validation = [];
    window.times = [];
    window.terrarium.onRecord((record) => {
      if (record['val/loss'] !== undefined) window.validation.push(record);
      if (record.step_ms !== undefined) window.times.push(record.step_ms);
    });
  });
  const begin = Date.now();
  await page.waitForFunction(
    () => window.terrarium.status().finished !== null || window.terrarium.status().error !== null,
    undefined,
    { timeout: 1000 * seconds, polling: 200 },
  );
  const { error, device } = await page.evaluate(() => window.terrarium.status());
  const { last, times } = await page.evaluate(() => ({
    last: window.validation.at(-1),
    times: window.times.slice(window.times.length >> 1),
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
  const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
  const rows = await validationLosses({
    launch: () => chromium.launch(launchOptions(found.path)),
    folder,
    presets: (process.argv[2] ?? 'names').split(','),
    precisions: ['no', 'fp16'],
    steps: Number(process.argv[3] ?? 200),
    seconds: 600,
    log: (line) => console.error(line),
  });
  console.log(validationTable(rows));
}
