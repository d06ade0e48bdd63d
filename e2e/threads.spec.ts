/** Training with several threads of the processor. */
import { expect, test, type Page } from '@playwright/test';
import { Site } from './site.ts';
import { TINY, Terrarium, addressOf, column, records } from './terrarium.ts';

/** Opens the details of the device, which stay open. */
async function openDevice(page: Page): Promise<void> {
  await page.getByTestId('device-chip').click();
  await expect(page.getByRole('dialog', { name: 'Device details' })).toBeVisible();
}

const isIsolated = (page: Page): Promise<boolean> => page.evaluate(() => crossOriginIsolated);

test('the number of threads is changed in a run, and is kept; the losses are the same', async ({
  page,
}) => {
  const steps = { ...TINY, 'training.max_iters': 200, headless: 1 };
  const terrarium = await new Terrarium(page).open(steps);
  await terrarium.train();
  await openDevice(page);
  const threads = page.getByLabel('Threads');
  const adapter = page.getByRole('dialog').locator('dd').first();
  await threads.selectOption('2');
  await expect(adapter).toContainText('CPU, 2 threads');
  await terrarium.untilStep(20);
  await threads.selectOption('1');
  await expect(adapter).toContainText('CPU, 1 thread,');
  await terrarium.done();
  const changing = column(await records(page), 'train/loss');
  await page.reload();
  await terrarium.open(steps);
  await openDevice(page);
  await expect(threads).toHaveValue('1');
  await expect(adapter).toContainText('CPU, 1 thread,');
  await terrarium.train();
  await terrarium.done();
  const alone = column(await records(page), 'train/loss');
  expect(alone.size).toBe(200);
  expect([...changing]).toEqual([...alone]);
});

test('a run whose thread stops says so, and continues from its checkpoint with one thread', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({
    ...TINY,
    'training.max_iters': 100_000,
    'runtime.autosave_interval': 5,
    headless: 1,
  });
  await terrarium.train();
  await openDevice(page);
  await page.getByLabel('Threads').selectOption('2');
  await terrarium.untilStep(20);
  await page.evaluate(() => window.terrarium?.loseDevice());
  const notice = page.getByText(/A thread of the processor stopped \(CPU, 1 thread/);
  await expect(notice).toBeVisible();
  await expect(notice).toContainText('its last checkpoint');
  const step = await terrarium.step();
  await terrarium.untilStep(step + 20);
  await terrarium.pause();
});

test('a page without headers uses all cores once asked, and no longer once asked not to', async ({
  page,
}) => {
  const site = await new Site().start();
  const terrarium = new Terrarium(page);
  await page.goto(site.address + addressOf({ ...TINY, 'training.max_iters': 100_000 }).slice(2));
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  expect(await isIsolated(page)).toBe(false);
  await terrarium.train();
  await terrarium.untilStep(3);
  await openDevice(page);
  const cores = page.getByLabel('Use all cores');
  await expect(page.getByLabel('Threads')).toBeHidden();
  await cores.click({ force: true });
  // The run was saved before the page was reloaded.
  await page.getByRole('button', { name: 'Resume' }).first().click();
  expect(await isIsolated(page)).toBe(true);
  await openDevice(page);
  await page.getByLabel('Threads').selectOption('2');
  await expect(page.getByRole('dialog').locator('dd').first()).toContainText('CPU, 2 threads');
  await cores.click({ force: true });
  await expect(page.getByTestId('resume-offer')).toBeVisible();
  expect(await isIsolated(page)).toBe(false);
  await site.stop();
});
