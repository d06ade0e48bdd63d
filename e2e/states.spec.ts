/**
 * Every state of the page, at four widths and in both colour schemes: accessible by axe's rules, and
 * no wider than the window. 720 pixels are what a window of 1440 pixels has at 200 % zoom, and 320
 * what one of 1280 pixels has at 400 % (WCAG 1.4.10). `SCREENS=folder` keeps pictures of all of them.
 */
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { axeOf } from './axe.ts';
import { LASTING, TINY, Terrarium } from './terrarium.ts';

const WIDTHS = { light: [1440, 720, 390, 320], dark: [1440, 390] } as const;
const HEIGHT = 900;
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

async function violations(page: Page): Promise<string[]> {
  const result = await axeOf(page, TAGS).analyze();
  return result.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`,
  );
}

const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });

/** Checks the state that the page is in at each width of the colour scheme. */
async function expectUsable(
  page: Page,
  state: string,
  colorScheme: keyof typeof WIDTHS,
): Promise<void> {
  for (const width of WIDTHS[colorScheme]) {
    await page.setViewportSize({ width, height: HEIGHT });
    const where = `${state} at ${width} pixels, ${colorScheme}`;
    await expect.poll(() => overflow(page), `overflow ${where}`).toBeLessThanOrEqual(0);
    expect(await violations(page), where).toEqual([]);
    const folder = process.env.SCREENS;
    if (folder)
      await page.screenshot({ path: join(folder, `${state}-${width}-${colorScheme}.png`) });
  }
  await page.setViewportSize({ width: 1440, height: HEIGHT });
}

const LONG = { ...LASTING, 'sampling.sample_interval': 20 };

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every state is accessible and fits its window, ${colorScheme}`, async ({ page }) => {
    await page.emulateMedia({ colorScheme });
    const terrarium = new Terrarium(page);
    const check = (state: string) => expectUsable(page, state, colorScheme);

    await page.goto('./');
    await expect(terrarium.sentence).toBeVisible();
    await check('first');
    await terrarium.open(LONG);
    await check('before');
    await terrarium.train();
    await terrarium.untilStep(25);
    await check('training');
    await terrarium.pause();
    await check('paused');
    await page.reload();
    await expect(page.getByTestId('resume-offer')).toBeVisible();
    await check('resumable');
    await terrarium.open({ ...TINY, 'sampling.sample_interval': 10 });
    await terrarium.train();
    await terrarium.done();
    await check('done');
    await terrarium.open({
      ...LONG,
      'training.learning_rate': 1,
      'training.grad_clip': 0,
      'training.optimizer': 'sgd',
      'training.warmup_iters': 0,
    });
    await terrarium.train();
    await expect(terrarium.alert).toBeVisible({ timeout: 60_000 });
    await check('failed');
  });
}
