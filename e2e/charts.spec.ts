/** The place where a run is watched: charts by keyboard, samples by the slider, folded charts. */
import { expect, test, type Page } from '@playwright/test';
import { TINY, Terrarium } from './terrarium.ts';

const SAMPLING = { 'sampling.sample_interval': 10, 'sampling.max_new_tokens': 4 };

/** Distance of the mark of the samples from the left of the loss chart, in CSS pixels. */
const markPosition = (page: Page): Promise<number> =>
  page
    .getByTestId('chart-loss')
    .locator('.sample-mark')
    .evaluate((mark) => (mark instanceof HTMLElement ? mark.offsetLeft : NaN));

async function press(page: Page, keys: readonly string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

test('shows a run by keyboard alone: skip links, crosshair, zoom, slider and folded charts', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, ...SAMPLING });
  const skip = page.getByRole('button', { name: 'Skip to charts' });
  const loss = page.getByRole('slider', { name: 'Loss: crosshair' });
  const reset = page.getByRole('button', { name: 'Reset zoom' });

  await expect(page.getByTestId('sketch'), 'a picture instead of empty charts').toBeVisible();
  await expect(page.getByText(/measured yet|No data/i)).toHaveCount(0);
  await page.keyboard.press('Tab');
  await expect(skip).toBeFocused();

  await terrarium.train();
  await terrarium.done();
  await skip.focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('#part-charts')).toBeFocused();

  await test.step('the crosshair moves, and its values are read out', async () => {
    await loss.focus();
    await press(page, ['Home', 'PageUp', 'ArrowRight']);
    await expect(loss).toHaveAttribute(
      'aria-valuetext',
      /^step 5, train [\d.]+, validation [\d.]+$/,
    );
  });
  await test.step('Shift selects, Enter zooms, Escape resets', async () => {
    await press(page, ['Shift+PageUp', 'Shift+PageUp', 'Enter']);
    await expect(reset).toHaveAttribute('title', 'Shown: step 5 to step 13');
    await page.keyboard.press('Escape');
    await expect(reset).toBeHidden();
  });
  await test.step('the slider moves the words and the mark on the loss together', async () => {
    const newest = await markPosition(page);
    await page.getByLabel(/^Step 40/).focus();
    await press(page, ['ArrowLeft', 'ArrowLeft']);
    await expect(page.getByRole('heading', { name: 'What it writes at step 20' })).toBeVisible();
    expect(await markPosition(page)).toBeCloseTo(newest / 2, -1);
  });
  await test.step('charts without data fold into one line, the others open to full size', async () => {
    await expect(page.getByTestId('spark-gpu')).toBeInViewport();
    const gradient = page.getByTestId('spark-grad');
    await expect(gradient).toBeInViewport();
    await gradient.focus();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('article', { name: 'Chart: Gradient norm' })).toBeVisible();
    await page.getByRole('button', { name: 'Gradient norm as a table' }).click();
    await expect(page.getByRole('region', { name: 'Table: Gradient norm' })).toContainText(
      'step 40',
    );
  });
});

test('fits a window of 320 pixels, and columns have one scrollbar each', async ({ page }) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, ...SAMPLING });
  await terrarium.train();
  await terrarium.done();
  for (const id of ['grad', 'accuracy']) await page.getByTestId(`spark-${id}`).click();
  /** By how much the page is larger than the window. */
  const excess = () =>
    page.evaluate(() => {
      const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
      return { width: scrollWidth - clientWidth, height: scrollHeight - clientHeight };
    });
  expect(await excess(), 'a wide page does not scroll itself').toEqual({ width: 0, height: 0 });
  await page.setViewportSize({ width: 320, height: 640 });
  expect((await excess()).width).toBe(0);
  const top = (id: string) => page.locator(id).evaluate((part) => part.getBoundingClientRect().top);
  await expect
    .poll(async () => (await top('#part-samples')) < (await top('#part-charts')), {
      message: 'the words come first',
    })
    .toBe(true);
});
