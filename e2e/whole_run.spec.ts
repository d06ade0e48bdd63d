/** A run that is opened again after its tab was closed is as it was left. */
import { expect, test, type Page } from '@playwright/test';
import { LASTING, Terrarium } from './terrarium.ts';

const TEXT = 'the quick brown fox jumps over the lazy dog\n'.repeat(200);
const CONFIG = {
  ...LASTING,
  'data.corpus': 'own',
  'tokenizer.kind': 'char',
  'training.learning_rate': 0.002,
  'training.eval_interval': 5,
  'sampling.sample_interval': 5,
};

const slider = (page: Page) => page.getByRole('slider', { name: /^(Step|No samples)/u });
const rate = (page: Page) => page.getByLabel('Learning rate ×');

/** Zooms into the first steps of the loss by keyboard. */
async function zoom(page: Page): Promise<void> {
  const plot = page.getByRole('slider', { name: 'Loss: crosshair' });
  await plot.focus();
  for (const key of ['Home', 'Shift+PageUp', 'Enter']) await page.keyboard.press(key);
  await expect(page.getByRole('button', { name: 'Reset zoom' }).first()).toBeVisible();
}

test('a run that is opened again brings back samples, slider, text, rate, recipe and zoom', async ({
  page,
  context,
}) => {
  const before = await new Terrarium(page).open(CONFIG);
  await page
    .getByTestId('text-input')
    .setInputFiles({ name: 'fox.txt', mimeType: 'text/plain', buffer: Buffer.from(TEXT) });
  await before.train();
  await before.untilStep(16);
  await before.pause();
  const step = await before.step();
  await expect(before.button('Resume')).toBeVisible();

  await slider(page).focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await expect(slider(page)).toHaveAttribute('aria-valuetext', 'Step 5');
  const words = await page.getByTestId('samples').innerText();
  await page.getByRole('textbox', { name: 'Prompt' }).fill('the qu');
  await zoom(page);
  await page.getByRole('button', { name: 'Open the recipe' }).click();
  await rate(page).fill('0.5');
  await rate(page).press('Enter');
  // The view is kept a moment after it has changed.
  await page.waitForTimeout(1000);
  await page.close();

  const again = await context.newPage();
  const after = await new Terrarium(again).open();
  await again.getByRole('button', { name: 'Resume' }).first().click();
  await after.untilStep(step);
  await after.pause();
  await expect(slider(again)).toHaveAttribute('aria-valuetext', 'Step 5');
  await expect(again.getByTestId('samples')).toHaveText(words, { useInnerText: true });
  await expect(again.getByRole('textbox', { name: 'Prompt' })).toHaveValue('the qu');
  await expect(again.getByRole('button', { name: 'Reset zoom' }).first()).toBeVisible();
  await again.getByRole('button', { name: 'Open the recipe' }).click();
  await expect(rate(again)).toHaveValue('0.5');
  await expect(again.getByText('fox.txt').first()).toBeVisible();
  await again.getByRole('button', { name: /^Training/u }).click();
  await expect(again.locator('[id="field-training.learning_rate"]')).toHaveValue('0.002');

  // The recipe of a paused run can be changed, which is for another run.
  await expect(after.controls).not.toContainText('Recipe changed');
  await again.locator('[id="field-training.batch_size"]').fill('3');
  await again.locator('[id="field-training.batch_size"]').press('Enter');
  await expect(after.controls).toContainText('Recipe changed');
  await after.button('Start new run').click();
  await expect(again.getByLabel('Run name')).toHaveValue(/^fox\.txt, layers 1, .*\(2\)$/u);
});
