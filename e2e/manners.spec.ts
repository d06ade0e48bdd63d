/** Keyboard control (e2e/states.spec.ts checks accessibility in every state). */
import { expect, test } from '@playwright/test';
import { LASTING, Terrarium } from './terrarium.ts';

test('is controlled by keyboard: Space pauses and continues, the period key takes a step', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open(LASTING);
  await terrarium.button('Train').focus();
  await page.keyboard.press('Enter');
  await terrarium.untilStep(3);
  await page.locator('body').click({ position: { x: 1, y: 1 } });
  await page.keyboard.press('Space');
  await expect(terrarium.sentence).toContainText('Paused');
  const at = await terrarium.step();
  await page.keyboard.press('.');
  await expect.poll(() => terrarium.step()).toBe(at + 1);
  // While the step is still ending, Space would pause instead of continuing.
  await expect(terrarium.sentence).toContainText('Paused');
  await page.keyboard.press('Space');
  await terrarium.untilStep(at + 3);
});
