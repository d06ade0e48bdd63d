/** The printed report of a run: two sheets of A4 or Letter, in light colours. */
import { expect, test } from '@playwright/test';
import { TINY, Terrarium } from './terrarium.ts';

const pagesOf = (pdf: Buffer): number =>
  (pdf.toString('latin1').match(/\/Type\s*\/Page\b/g) ?? []).length;

test('a run prints as a report on two sheets, light also from the dark page', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  const terrarium = await new Terrarium(page).open({
    ...TINY,
    'sampling.sample_interval': 5,
    'sampling.max_new_tokens': 64,
  });
  await terrarium.train();
  await terrarium.done();
  // The report is of the run, whatever recipe the form has by now.
  await page.getByRole('button', { name: 'Open the recipe' }).click();
  await page.getByRole('combobox', { name: 'Recipe', exact: true }).selectOption('classic');
  // The browser's own print command finds the report; the menu's item waits for it.
  await page.evaluate(() => {
    window.print = () => document.body.setAttribute('data-asked', '');
  });
  await terrarium.menu('Print a report');
  await expect(page.locator('body[data-asked]')).toBeAttached();
  for (const format of ['A4', 'Letter'])
    expect(pagesOf(await page.pdf({ format, printBackground: true }))).toBe(2);
  // As a picture of what is printed.
  await page.evaluate(() => window.dispatchEvent(new Event('beforeprint')));
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  const report = page.getByTestId('print-report');
  await expect(report.getByRole('heading', { level: 3 })).toHaveCount(5);
  await expect(report).toContainText('training.max_iters');
  await expect(report).toContainText('What differs from the defaults');
  await expect(report).toContainText('CPU, ');
  await expect(page.getByRole('group', { name: 'Training' })).toBeHidden();
  const colours = await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll('.print-report')].map(
      (element) => getComputedStyle(element).backgroundColor,
    ),
  );
  expect(colours).toEqual(['rgb(255, 255, 255)', 'rgb(255, 255, 255)']);
});
