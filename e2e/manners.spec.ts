/** How the page behaves: accessible, and the same at every width and in both colour schemes. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { TINY, Terrarium } from './terrarium.ts';

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'])
    .analyze();
  expect(
    violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`),
  ).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    test(`accessible and whole at ${width} pixels, ${colorScheme}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const terrarium = await new Terrarium(page).open(TINY);
      await expectAccessible(page);
      await page.screenshot({ path: `test-results/screens/first-${width}-${colorScheme}.png` });
      await terrarium.train();
      await terrarium.done();
      await expectAccessible(page);
      await page.screenshot({ path: `test-results/screens/done-${width}-${colorScheme}.png` });
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow, 'nothing sticks out sideways').toBeLessThanOrEqual(0);
    });
  }
}

test('everything is reached by keyboard: space pauses and goes on, . steps', async ({ page }) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 5000 });
  await terrarium.button('Train').focus();
  await page.keyboard.press('Enter');
  await terrarium.untilStep(3);
  await page.locator('body').click({ position: { x: 1, y: 1 } });
  await page.keyboard.press('Space');
  await expect(terrarium.sentence).toContainText('Paused');
  const at = await terrarium.step();
  await page.keyboard.press('.');
  await expect.poll(() => terrarium.step()).toBe(at + 1);
  await page.keyboard.press('Space');
  await terrarium.untilStep(at + 3);
});
