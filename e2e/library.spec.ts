/** The library: a sweep, its comparison, deletion with undo, and a backup out and in. */
import { expect, test, type Page } from '@playwright/test';
import { axeOf } from './axe.ts';
import { TINY, Terrarium, column } from './terrarium.ts';

const STEPS = 8;
const CONFIG = { ...TINY, 'runtime.backend': 'cpu', 'training.max_iters': STEPS };
/** Enough that a run can be paused before its end. */
const LONG = 60;

const axe = (page: Page) => axeOf(page, ['wcag2a', 'wcag2aa', 'wcag21aa']).analyze();

test('a sweep is trained, compared, deleted, restored, and equal to the bit after a backup', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open(CONFIG);
  const dialog = page.getByRole('dialog');
  await terrarium.menu('Runs');
  await dialog.getByRole('radio', { name: 'Sweep' }).check({ force: true });
  await dialog.getByLabel('Values, separated by commas').fill('0.001, 0.01');
  await dialog.getByRole('button', { name: 'Train 2 runs' }).click();
  await expect(dialog.getByTestId('sweep-progress')).toContainText('2 of 2', { timeout: 60_000 });
  await dialog.getByRole('radio', { name: 'Runs' }).check({ force: true });
  const rows = dialog.getByTestId('runs').locator('tbody tr');
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText('lr 0.01');

  await test.step('the two are selected by keyboard and compared', async () => {
    await dialog.getByLabel('Select all runs').press('Space');
    await dialog.getByRole('button', { name: 'Compare', exact: true }).press('Enter');
    const differences = dialog.getByTestId('differences');
    await expect(differences).toContainText('Learning rate');
    await expect(differences).toContainText('0.001');
    await expect(dialog.getByTestId('compare-values').getByRole('row')).toHaveCount(3);
    await expect(dialog.getByTestId('compare-values')).toContainText(/\d\.\d\d/);
    const { violations } = await axe(page);
    expect(violations.map(({ id }) => id)).toEqual([]);
    await dialog.getByRole('button', { name: 'All runs' }).click();
  });

  const long = { ...CONFIG, 'training.max_iters': LONG };
  await terrarium.open(long);
  await terrarium.train();
  await terrarium.done();
  const uninterrupted = column(await terrarium.metrics(), 'train/loss');
  await terrarium.open(long);
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const paused = await terrarium.step();
  await terrarium.menu('Runs');
  await expect(rows).toHaveCount(4);

  let backup = '';
  await test.step('all go into one backup file', async () => {
    await dialog.getByRole('radio', { name: 'Storage' }).check({ force: true });
    const download = page.waitForEvent('download');
    await dialog.getByRole('button', { name: 'Back up all runs' }).click();
    backup = await (await download).path();
    await expect(dialog.getByTestId('backup-outcome')).toContainText('4 runs are in the backup.');
  });

  // Another page, so that no run is open here.
  await terrarium.open({ 'runtime.backend': 'cpu' });
  await terrarium.menu('Runs');
  await test.step('all are deleted, come back, and are removed for good', async () => {
    await expect(rows).toHaveCount(4);
    await dialog.getByLabel('Select all runs').check();
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
    await expect(dialog.getByTestId('undo')).toContainText('4 runs were deleted.');
    await dialog.getByTestId('undo').getByRole('button', { name: 'Undo' }).click();
    await expect(rows).toHaveCount(4);
    await dialog.getByLabel('Select all runs').check();
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
    await dialog.getByText('Deleted runs (4').click();
    await dialog.getByRole('button', { name: 'Remove all for good' }).click();
    await expect(dialog.getByText(/Deleted runs \(/)).toBeHidden();
    await expect(dialog.getByText('No saved runs yet.')).toBeVisible();
  });

  await test.step('the backup brings all back, and a resumed one has the losses of an uninterrupted one', async () => {
    await dialog.getByRole('radio', { name: 'Storage' }).check({ force: true });
    await page.getByTestId('backup-input').setInputFiles(backup);
    await expect(dialog.getByTestId('backup-outcome')).toContainText('4 runs were added.');
    await page.getByTestId('backup-input').setInputFiles(backup);
    await expect(dialog.getByTestId('backup-outcome')).toContainText('4 runs were here already.');
    await dialog.getByRole('radio', { name: 'Runs' }).check({ force: true });
    await expect(rows).toHaveCount(4);
    const { violations } = await axe(page);
    expect(violations.map(({ id }) => id)).toEqual([]);
    await rows.getByRole('button', { name: 'Resume', exact: true }).click();
    await terrarium.done();
    const losses = column(await terrarium.metrics(), 'train/loss');
    expect(paused).toBeLessThan(LONG);
    expect(losses).toEqual(uninterrupted);
  });
});
