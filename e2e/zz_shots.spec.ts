import { expect, test, type Page } from '@playwright/test';
import { TINY, Terrarium } from './terrarium.ts';
const BASE = { ...TINY, 'data.corpus': 'arithmetic', 'model.block_size': 64, 'training.max_iters': 20 };
const goTo = (page: Page, name: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Places' }).getByRole('button', { name }).click();
for (const badge of (process.env.BADGES ?? 'SFT').split(','))
test(`shots ${badge}`, async ({ page }) => {
  page.on('console', (m) => console.log('[page]', m.text().slice(0, 300)));
  const terrarium = await new Terrarium(page).open(BASE);
  await terrarium.train();
  await terrarium.done();
  await goTo(page, 'Stages');
  await page.getByRole('button', { name: 'New stage' }).first().click();
  await page.locator('.objectives label').filter({ hasText: badge }).click();
  await page.getByLabel('Training examples size').fill('64');
  await page.getByLabel('Training steps max_iters').fill('12');
  await page.getByLabel('Batch size batch_size').fill('4');
  await page.screenshot({ path: `/tmp/rs_new_${badge}.png`, fullPage: true });
  await page.getByRole('button', { name: 'Train it on several ranks' }).click();
  await page.waitForTimeout(500);
  await page.screenshot({ path: `/tmp/rs_lab0_${badge}.png`, fullPage: true });
  await page.getByRole('button', { name: 'Start 2 ranks' }).click();
  const sentence = page.getByTestId('lab-sentence');
  await expect(sentence).toContainText(/^(Done|Failed)/u, { timeout: 100_000 });
  await page.screenshot({ path: `/tmp/rs_lab1_${badge}.png`, fullPage: true });
  await page.getByRole('button', { name: 'Save as a run' }).click();
  await expect(page.getByText(/^Saved as .* at step 12/u)).toBeVisible();
  await goTo(page, 'Stages');
  await page.waitForTimeout(800);
  await page.screenshot({ path: `/tmp/rs_stages_${badge}.png`, fullPage: true });
});
