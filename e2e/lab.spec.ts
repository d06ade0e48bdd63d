/**
 * The parallel lab: ranks in workers train one run, which is saved, and one of them dies; then they
 * train a stage from that run.
 */
import { expect, test } from '@playwright/test';
import { axeOf } from './axe.ts';
import { addressOf, TINY } from './terrarium.ts';

const RECIPE = {
  ...TINY,
  'data.corpus': 'arithmetic',
  'model.block_size': 64,
  'training.max_iters': 12,
  'training.eval_interval': 6,
};

test('four ranks train a run, of which one dies, and then a stage from it', async ({ page }) => {
  await page.goto(`${addressOf(RECIPE)}#ranks`);
  const mesh = page.getByRole('region', { name: 'Mesh', exact: true });
  const sentence = page.getByTestId('lab-sentence');
  await mesh.getByLabel('Tensor parallel', { exact: true }).fill('3');
  await expect(mesh.getByRole('alert').first()).toContainText('cannot be split evenly among 3');
  await expect(page.getByRole('button', { name: /^Start/u })).toBeDisabled();
  await mesh.getByRole('button', { name: 'Take 2' }).click();
  await page.getByRole('button', { name: 'Start 4 ranks' }).click();
  await expect(sentence).toContainText(/^Done. Step 12 of 12/u, { timeout: 60_000 });
  const rows = page.getByTestId('lab-traffic').getByRole('row');
  await expect(rows.filter({ hasText: 'reduce-scatter' }).first()).toContainText(/kB/u);
  await expect(rows.filter({ hasText: /^All/u })).toContainText('B0.0%');
  const { violations } = await axeOf(page, ['wcag2a', 'wcag2aa', 'wcag21aa']).analyze();
  expect(violations).toEqual([]);
  await expect(page.getByText(/^Saved as .* at step 12/u)).toBeVisible();
  await page.getByRole('button', { name: 'Rank 1 dies' }).click();
  const failure = page.getByTestId('lab-failure');
  await expect(failure).toContainText('Rank 1 is gone');
  await expect(failure).toContainText('The checkpoint of step 12 is complete');

  const places = page.getByRole('navigation', { name: 'Places' });
  await places.getByRole('button', { name: 'Stages' }).click();
  await page.getByRole('button', { name: /^New stage from/u }).click();
  await page.getByLabel('Training examples size').fill('64');
  await page.getByLabel('Training steps max_iters').fill('8');
  await page.getByLabel('Batch size batch_size').fill('4');
  await page.getByRole('button', { name: 'Train it on several ranks' }).click();
  await page.getByRole('button', { name: 'Start 4 ranks' }).click();
  await expect(sentence).toContainText(/^Done. Step 8 of 8/u, { timeout: 60_000 });
  await expect(rows.filter({ hasText: /^All/u })).toContainText('B0.0%');
  await expect(page.getByText(/^Saved as .*SFT.* at step 8/u)).toBeVisible();
  await places.getByRole('button', { name: 'Stages' }).click();
  await expect(page.getByText(/, SFT, DP 2 x TP 2/u)).toBeVisible();
});
