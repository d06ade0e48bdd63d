/** The names preset learns more than a bigram model within 200 steps on the processor. */
import { expect, test } from '@playwright/test';
import { Terrarium, column, records, status } from './terrarium.ts';

/** Validation loss falls below the bigram model at step 100. */
const STEPS = 200;

test('the names preset beats the bigram model within 200 steps and writes readable names', async ({
  page,
}) => {
  test.setTimeout(300_000);
  const terrarium = await new Terrarium(page).open({
    preset: 'names',
    'runtime.backend': 'wasm',
    headless: 1,
  });
  await terrarium.train();
  await terrarium.untilStep(STEPS, 240_000);
  await terrarium.pause();
  const { bigram_loss, uniform_loss, device, sample } = await status(page);
  const losses = [...column(await records(page), 'val/loss')]
    .filter(([step]) => step <= STEPS)
    .map(([, loss]) => loss);
  expect(device?.backend).toBe('wasm');
  expect(losses.length).toBeGreaterThan(2);
  expect(bigram_loss).not.toBeNull();
  expect(Math.min(...losses)).toBeLessThan(bigram_loss ?? 0);
  expect(bigram_loss ?? 9).toBeLessThan(uniform_loss ?? 0);
  const names = (sample ?? '').split('\n').filter((name) => name !== '');
  expect(names.length).toBeGreaterThan(1);
  // A readable name has a vowel in every few letters; the output of an untrained model does not.
  const readable = names.filter((name) => !/[^aeiouy\s'-]{5}/.test(name) && /[aeiouy]/.test(name));
  expect(readable.length / names.length, names.join(' ')).toBeGreaterThanOrEqual(0.8);
});
