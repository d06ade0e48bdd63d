/**
 * The comparison of backends: modes on WebGPU, another backend and stock TensorFlow.js, which this
 * page's code has no part in, have the same losses. The results are a table and bars.
 */
import { expect, type Locator, type Page, test } from '@playwright/test';
import { axeOf } from './axe.ts';
import { TINY, Terrarium } from './terrarium.ts';

const STOCK = /stock_worker/;

/** Opens the dialog with these ways to train chosen. */
async function openWith(page: Page, ways: readonly string[]): Promise<Locator> {
  await new Terrarium(page).menu('Compare backends');
  const dialog = page.getByRole('dialog', { name: 'Compare backends' });
  await dialog.getByRole('checkbox').first().waitFor();
  for (const way of await dialog.getByRole('checkbox').all()) await way.uncheck();
  for (const way of ways) await dialog.getByRole('checkbox', { name: way }).check();
  await dialog.getByLabel('Steps').fill('4');
  return dialog;
}

test('compares ways to train on WebGPU with the processor and stock TensorFlow.js', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const downloads: string[] = [];
  context.on('request', (request) => downloads.push(request.url()));
  await new Terrarium(page).open(TINY);
  const dialog = await openWith(page, [
    'WebGPU, own kernels, recorded',
    'WebGPU, own kernels, one by one',
    'WebGPU, plain TensorFlow.js',
    'WebGPU, stock TensorFlow.js',
    'Processor, own kernels, recorded',
    'Processor, own kernels, one by one',
    'Processor, plain TensorFlow.js',
    'Processor, stock TensorFlow.js',
  ]);
  expect(downloads.filter((url) => STOCK.test(url))).toEqual([]);
  await dialog.getByRole('button', { name: 'Run' }).click();
  const rows = dialog.getByTestId('comparison').locator('tbody tr');
  await expect(rows).toHaveCount(8, { timeout: 150_000 });
  expect(downloads.some((url) => STOCK.test(url))).toBe(true);
  await dialog.getByRole('button', { name: 'Copy as Markdown' }).click();
  const [head, , ...lines] = (await page.evaluate(() => navigator.clipboard.readText()))
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((text) => text.trim()),
    );
  const cell = (line: string[] | undefined, heading: string): string =>
    line?.[head?.indexOf(heading) ?? -1] ?? '';
  expect(lines.map((line) => `${cell(line, 'Backend')}: ${cell(line, 'Mode')}`)).toEqual([
    'WebGPU: own kernels, recorded',
    'WebGPU: own kernels, one by one',
    'WebGPU: plain TensorFlow.js',
    'WebGPU: stock TensorFlow.js',
    'Processor: own kernels, recorded',
    'Processor: own kernels, one by one',
    'Processor: plain TensorFlow.js',
    'Processor: stock TensorFlow.js',
  ]);
  const [replayed, opByOp, plain, stock, ...onProcessor] = lines;
  const number = (line: string[] | undefined, heading: string): number =>
    Number(cell(line, heading).replaceAll(',', ''));
  expect(cell(replayed, 'Submits/step')).toBe('1');
  expect(cell(replayed, 'Loss drift')).toBe('reference');
  // The same kernels in the same order give bit-identical losses.
  expect(cell(opByOp, 'Loss drift')).toBe('0');
  expect(cell(opByOp, 'Last loss')).toBe(cell(replayed, 'Last loss'));
  expect(cell(opByOp, 'Kernels/step')).toBe(cell(replayed, 'Kernels/step'));
  for (const line of [replayed, opByOp, plain, stock])
    expect(cell(line, 'Kernels/step')).toMatch(/^[\d,]+$/u);
  for (const line of [plain, stock]) {
    expect(number(line, 'Kernels/step')).toBeGreaterThan(2 * number(replayed, 'Kernels/step'));
    expect(number(line, 'Submits/step')).toBeGreaterThan(1);
  }
  for (const line of [plain, stock, ...onProcessor])
    expect(Number(cell(line, 'Loss drift'))).toBeLessThan(1e-4);
  await expectBars(dialog, 8);
  const axe = axeOf(page, ['wcag2a', 'wcag2aa', 'wcag21aa']);
  const { violations } = await axe.analyze();
  expect(violations.map(({ id }) => id)).toEqual([]);
  await page.screenshot({ path: 'test-results/screens/compare.png' });
});

/** The longest bar fills its track; each says its time and the wait for 1,000 steps. */
async function expectBars(dialog: Locator, count: number): Promise<void> {
  const bars = dialog.getByTestId('compare-bars').getByTestId('compare-bar');
  await expect(bars).toHaveCount(count);
  for (const text of await bars.allInnerTexts()) {
    expect(text).toMatch(/[\d.]+ m?s\b/u);
    expect(text).toMatch(/1,000 steps: (a few seconds|about|more than a day)/u);
  }
  const widths = await dialog
    .getByTestId('compare-bars')
    .locator('.compare-bar i')
    .evaluateAll((all) =>
      all.map((bar) => bar.clientWidth / (bar.parentElement?.clientWidth ?? 1)),
    );
  expect(Math.max(...widths)).toBeCloseTo(1, 2);
  expect(Math.min(...widths)).toBeGreaterThan(0);
}

test('says in a sentence what stock TensorFlow.js cannot train', async ({ page }) => {
  await new Terrarium(page).open({ ...TINY, 'training.optimizer': 'muon' });
  const dialog = await openWith(page, ['JavaScript, stock TensorFlow.js']);
  await dialog.getByRole('button', { name: 'Run' }).click();
  await expect(dialog.getByTestId('comparison')).toContainText('TensorFlow.js has no Muon', {
    timeout: 60_000,
  });
});
