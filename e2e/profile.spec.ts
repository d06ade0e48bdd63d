/**
 * The profile of a step: time by kind of kernel if the device can time kernels, else the time of the
 * whole step. Accessible at both widths and in both colour schemes.
 */
import { expect, test, type Page } from '@playwright/test';
import { axeOf } from './axe.ts';
import { TINY, Terrarium } from './terrarium.ts';

const sentence = (page: Page) => page.getByTestId('profile-sentence');

test('reports what takes longest, and training continues afterwards', async ({ page }) => {
  const terrarium = await new Terrarium(page).open({
    ...TINY,
    'runtime.backend': 'webgpu',
    'training.max_iters': 5000,
  });
  await terrarium.menu('Profile a step');
  await expect(sentence(page)).toHaveText(
    'There is no run to profile yet: train a model, or resume a saved run.',
  );
  await expect(page.getByRole('button', { name: 'Measure a step' })).toBeDisabled();
  await page.keyboard.press('Escape');
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.menu('Profile a step');
  const table = page.getByTestId('profile');
  await expect(table.locator('tbody tr').first()).toBeVisible({ timeout: 60_000 });
  const rows = await table
    .locator('tbody tr')
    .evaluateAll((all) =>
      all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')),
    );
  const micros = rows.map((row) => Number(row[1]?.replaceAll(',', '')));
  expect(rows.map((row) => row[0])).toEqual(
    expect.arrayContaining(['Matrix products', 'Attention', 'Norms', 'Cross-entropy', 'Optimizer']),
  );
  expect(micros).toEqual([...micros].sort((a, b) => b - a));
  expect(await sentence(page).textContent()).toMatch(
    new RegExp(`^A step takes [\\d.]+k? ms\\. ${rows[0]?.[0] ?? '?'} takes? the most of it: `, 'u'),
  );
  expect(rows.find((row) => row[0] === 'Matrix products')?.[4]).toMatch(/FLOP\/s$/u);
  await page.keyboard.press('Escape');
  const at = await terrarium.step();
  await terrarium.untilStep(at + 3);

  // The same profile while the run is paused: training would slow the audits down several times.
  await terrarium.pause();
  await terrarium.menu('Profile a step');
  await expect(table.locator('tbody tr').first()).toBeVisible();
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [1440, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      const { violations } = await axeOf(page, [
        'wcag2a',
        'wcag2aa',
        'wcag21a',
        'wcag21aa',
      ]).analyze();
      expect(
        violations.map(
          ({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`,
        ),
      ).toEqual([]);
      const sideways = await page
        .getByRole('dialog')
        .evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
      expect(sideways, `horizontal overflow at ${width}`).toBeLessThanOrEqual(0);
      await page.screenshot({ path: `test-results/screens/profile-${width}-${colorScheme}.png` });
    }
});

test('reports what takes longest on the processor', async ({ page }) => {
  const terrarium = await new Terrarium(page).open(TINY);
  await terrarium.train();
  await terrarium.done();
  await terrarium.menu('Profile a step');
  await expect(sentence(page)).toHaveText(
    /^A step takes [\d.]+ ms\. .+ takes? the most of it: \d+% of the time of all kernels\./u,
  );
  const kinds = page.getByTestId('profile').locator('tbody tr td:first-child, tbody tr th');
  expect(await kinds.allInnerTexts()).toEqual(
    expect.arrayContaining(['Matrix products', 'Attention', 'Norms', 'Cross-entropy', 'Optimizer']),
  );
});

test('reports the time of the whole step where kernels cannot be timed', async ({ page }) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, 'runtime.backend': 'cpu' });
  await terrarium.train();
  await terrarium.done();
  await terrarium.menu('Profile a step');
  await expect(sentence(page)).toHaveText(/^A step takes [\d.]+ ms\.$/u);
  await expect(page.getByRole('dialog')).toContainText(
    'Kernels cannot be timed here, so only the whole step was.',
  );
});
