/**
 * *Names* is trained to its end on the processor, as a visitor without WebGPU does. It learns more
 * than a bigram model within 200 steps.
 */
import { expect, test } from '@playwright/test';
import { Terrarium, column, records, status } from './terrarium.ts';

/** Steps of the preset. */
const STEPS = 400;
/** Validation loss falls below the bigram model at step 100. */
const LEARNED_BY = 200;
/**
 * Two idle cores take 4 s for the run and 0.3 s to its first loss. These limits, in milliseconds, are
 * for a machine that also does something else.
 */
const MOST_MS = 30_000;
const MOST_FIRST_LOSS_MS = 5000;

test('the names preset is trained on the processor, beats the bigram model and writes readable names', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({
    preset: 'names',
    'runtime.backend': 'wasm',
    headless: 1,
  });
  // A visitor reads first: the device is measured, the text is there.
  await expect(page.getByTestId('data-summary')).toBeVisible();
  const started = Date.now();
  await terrarium.train();
  await page.waitForFunction(() => window.terrarium?.status().finished, null, { polling: 20 });
  const took = Date.now() - started;
  await expect(terrarium.sentence).toContainText(/^Done/);
  const { bigram_loss, uniform_loss, device, sample, step, start } = await status(page);
  const firstLoss = start.first_loss ?? NaN;
  const measured =
    `names on ${device?.adapter ?? '?'}: ${STEPS} steps in ${(took / 1000).toFixed(1)} s, ` +
    `the first loss after ${Math.round(firstLoss)} ms`;
  test.info().annotations.push({ type: 'measured', description: measured });
  console.log(measured);
  expect(step).toBe(STEPS);
  expect(took).toBeLessThan(MOST_MS);
  expect(firstLoss).toBeLessThan(MOST_FIRST_LOSS_MS);
  expect(device?.backend).toBe('wasm');
  expect(device?.adapter, 'the engine').toMatch(/^CPU, \d+ threads?, (relaxed )?SIMD$/u);

  const losses = [...column(await records(page), 'val/loss')]
    .filter(([at]) => at <= LEARNED_BY)
    .map(([, loss]) => loss);
  expect(bigram_loss).not.toBeNull();
  expect(losses.length).toBeGreaterThan(2);
  expect(Math.min(...losses)).toBeLessThan(bigram_loss ?? 0);
  expect(bigram_loss ?? 9).toBeLessThan(uniform_loss ?? 0);
  const names = (sample ?? '').split('\n').filter((name) => name !== '');
  expect(names.length).toBeGreaterThan(1);
  // A readable name has a vowel in every few letters; the output of an untrained model does not.
  const readable = names.filter((name) => !/[^aeiouy\s'-]{5}/.test(name) && /[aeiouy]/.test(name));
  expect(readable.length / names.length, names.join(' ')).toBeGreaterThanOrEqual(0.8);
});
