/** A run that is paused, left and taken up again is the same run. */
import { expect, test } from '@playwright/test';
import { TINY, Terrarium, column } from './terrarium.ts';

const STEPS = 400;
const config = { ...TINY, 'model.dropout': 0.1, 'training.max_iters': STEPS };

test('pause, reload, resume: every loss is that of a run without the pause', async ({ page }) => {
  const terrarium = await new Terrarium(page).open(config);
  await terrarium.train();
  await terrarium.done();
  const whole = column(await terrarium.metrics(), 'train/loss');
  expect(whole.size).toBe(STEPS);

  await terrarium.open({ ...config, 'runtime.autosave_interval': 10 });
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const left = await terrarium.step();
  expect(left, 'paused before the end').toBeLessThan(STEPS);

  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await terrarium.done();
  const parts = column(await terrarium.metrics(), 'train/loss');
  for (const [step, loss] of parts) expect(loss, `loss of step ${step}`).toBe(whole.get(step));
  for (let step = left + 1; step <= STEPS; step++) expect(parts.has(step), `step ${step} was recorded`).toBe(true);
});

test('the same run in a second tab is refused there and goes on here', async ({ page, context }) => {
  const first = await new Terrarium(page).open({ ...config, 'training.max_iters': 5000, 'runtime.autosave_interval': 5 });
  await first.train();
  await first.untilStep(10);
  const other = await context.newPage();
  const second = await new Terrarium(other).open();
  await second.menu('Runs');
  await expect(other.getByRole('dialog')).toContainText(/open in another tab/i);
  const before = await first.step();
  await first.untilStep(before + 5);
});
