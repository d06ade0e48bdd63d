/**
 * Narrow windows and zoomed pages (WCAG 1.4.10): a page of 1280 pixels has 640 at 200 % and 320 at
 * 400 %. Nothing overflows to the side, and no text of the bar, the cards or the recipe is cut.
 */
import { expect, test, type Page } from '@playwright/test';
import { axeOf } from './axe.ts';
import { Terrarium } from './terrarium.ts';

const LONG_NAME = 'A long name for the third attempt at a novel by character, lr 0.0001, Muon';

/** Elements whose text does not fit into them, and how far the page overflows to the right. */
async function cutText(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const visible = (element: Element): boolean =>
      element.checkVisibility() && !element.closest('.sr-only, [popover], [aria-hidden="true"]');
    const inner = [...document.querySelectorAll('.bar *, .welcome *, .workspace-recipe *')];
    const cut = inner.filter(visible).filter((element) => {
      if (element instanceof HTMLSelectElement) return selectIsCut(element);
      const { overflowX, overflowY } = getComputedStyle(element);
      const clips = overflowX !== 'visible' || overflowY !== 'visible';
      if (element.matches('.progress-line, input, pre, .memory-bar')) return false;
      const tooWide = element.scrollWidth > element.clientWidth + 1;
      const tooHigh = overflowY !== 'auto' && element.scrollHeight > element.clientHeight + 1;
      return clips && (tooWide || tooHigh);
    });
    const outside = inner
      .filter(visible)
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1);
    const found = [...cut, ...outside].map(
      (element) => `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`,
    );
    const overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    return overflow > 0 ? [`page: ${overflow} px`, ...found] : found;

    function selectIsCut(select: HTMLSelectElement): boolean {
      const context = document.createElement('canvas').getContext('2d');
      const style = getComputedStyle(select);
      if (!context) return false;
      context.font = style.font;
      const room = select.clientWidth - parseFloat(style.paddingLeft) * 2 - 16;
      return context.measureText(select.selectedOptions[0]?.text ?? '').width > room;
    }
  });
}

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await axeOf(page, ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']).analyze();
  expect(
    violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`,
    ),
  ).toEqual([]);
}

for (const [width, height] of [
  [320, 512],
  [640, 450],
] as const) {
  test(`cuts nothing at ${width} pixels`, async ({ page }) => {
    await page.setViewportSize({ width, height });
    const terrarium = await new Terrarium(page).open({ 'runtime.backend': 'wasm' });
    await page.getByRole('button', { name: 'Terrarium: presets' }).click();
    await expect(page.getByTestId('preset-time').first()).not.toContainText('measuring');
    expect(await cutText(page), 'preset cards').toEqual([]);

    await page.getByRole('button', { name: 'Customize A novel, by character' }).click();
    await page.getByLabel('Run name').fill(LONG_NAME);
    for (const section of ['Tokenizer', 'Training', 'Sampling', 'Runtime'])
      await page.getByRole('button', { name: new RegExp(`^${section}`) }).click();
    for (const more of await page.locator('.more > summary').all()) await more.click();
    await expect(page.getByTestId('data-summary')).toBeVisible({ timeout: 60_000 });
    // Sections unfold for a moment.
    await expect.poll(() => cutText(page), 'recipe').toEqual([]);

    await page.getByRole('button', { name: 'About Learning rate', exact: true }).click();
    const hint = page.getByRole('dialog', { name: 'About Learning rate', exact: true });
    await expect(hint).toContainText('nanoGPT');
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await expect(hint).toBeHidden();
    await expect(terrarium.sentence).toBeVisible();
  });
}
