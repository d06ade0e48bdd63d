/** Training with several threads of the processor. */
import { expect, test } from '@playwright/test';
import { appendFileSync } from 'node:fs';
import { TINY, Terrarium } from './terrarium.ts';

test('tmp', async ({ page }) => {
  page.on('console', (m) => appendFileSync('/tmp/t.log', m.type()+ m.text()+'\n'));
  const terrarium = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 400, headless: 1 });
  await terrarium.train();
  await terrarium.untilStep(8);
  appendFileSync('/tmp/t.log', `workers ${page.workers().length} \n`);
  await page.getByTestId('device-chip').click();
  appendFileSync('/tmp/t.log', (await page.getByRole('dialog').textContent())+'\n');
  await page.evaluate(() => window.terrarium?.loseDevice());
  await expect(page.getByText(/thread of the processor stopped/i).first()).toBeVisible();
  appendFileSync('/tmp/t.log', (await terrarium.sentence.textContent())+'\n');
  await terrarium.done();
  appendFileSync('/tmp/t.log', (await page.locator('body').textContent())+'\n');
});
