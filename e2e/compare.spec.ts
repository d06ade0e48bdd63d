/** The comparison of backends: three modes on WebGPU and another backend have the same losses. */
import { expect, test } from '@playwright/test';
import { TINY, Terrarium } from './terrarium.ts';

test('compares replayed, op-by-op and plain TensorFlow.js training on WebGPU with WebAssembly', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const terrarium = await new Terrarium(page).open(TINY);
  await terrarium.menu('Compare backends');
  const dialog = page.getByRole('dialog', { name: 'Compare backends' });
  await dialog.getByLabel('webgl').uncheck();
  await dialog.getByLabel('cpu').uncheck();
  await dialog.getByLabel('Steps').fill('4');
  await dialog.getByRole('button', { name: 'Run' }).click();
  const rows = dialog.getByTestId('comparison').locator('tbody tr');
  await expect(rows).toHaveCount(4, { timeout: 120_000 });
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
    'WebAssembly: plain TensorFlow.js',
  ]);
  const [replayed, opByOp, plain, wasm] = lines;
  const number = (line: string[] | undefined, heading: string): number =>
    Number(cell(line, heading).replaceAll(',', ''));
  expect(cell(replayed, 'Submits/step')).toBe('1');
  expect(cell(replayed, 'Loss drift')).toBe('reference');
  // The same kernels in the same order give bit-identical losses.
  expect(cell(opByOp, 'Loss drift')).toBe('0');
  expect(cell(opByOp, 'Last loss')).toBe(cell(replayed, 'Last loss'));
  expect(cell(opByOp, 'Dispatches/step')).toBe(cell(replayed, 'Dispatches/step'));
  for (const line of [replayed, opByOp, plain])
    expect(cell(line, 'Dispatches/step')).toMatch(/^[\d,]+$/u);
  expect(number(plain, 'Dispatches/step')).toBeGreaterThan(2 * number(replayed, 'Dispatches/step'));
  expect(number(plain, 'Submits/step')).toBeGreaterThan(1);
  for (const line of [plain, wasm]) expect(Number(cell(line, 'Loss drift'))).toBeLessThan(1e-4);
  await page.screenshot({ path: 'test-results/screens/compare.png' });
});
