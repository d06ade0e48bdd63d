/** Accessibility and layout, at two widths and in both colour schemes. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { TINY, Terrarium } from './terrarium.ts';

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'])
    .analyze();
  expect(
    violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`,
    ),
  ).toEqual([]);
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    test(`is accessible and has no overflow at ${width} pixels, ${colorScheme}`, async ({
      page,
    }) => {
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
      expect(overflow, 'horizontal overflow').toBeLessThanOrEqual(0);
    });
  }
}

test('is controlled by keyboard: Space pauses and continues, the period key takes a step', async ({
  page,
}) => {
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
  // While the step is still ending, Space would pause instead of continuing.
  await expect(terrarium.sentence).toContainText('Paused');
  await page.keyboard.press('Space');
  await terrarium.untilStep(at + 3);
});
