/** Training with several threads of the processor. */
import { readFile, readdir } from 'node:fs/promises';
import { expect, test, type Browser, type Page } from '@playwright/test';
import { Site } from './site.ts';
import { LASTING, TINY, Terrarium, addressOf, records } from './terrarium.ts';

/** Two threads share its steps. */
const LONG = { ...LASTING, headless: 1 };

/** Opens the details of the device, which stay open. */
async function openDevice(page: Page): Promise<void> {
  await page.getByTestId('device-chip').click();
  await expect(page.getByRole('dialog', { name: 'Device details' })).toBeVisible();
}

async function useThreads(page: Page, count: number): Promise<void> {
  await openDevice(page);
  await page.getByLabel('Threads').selectOption(String(count));
  const threads = count === 1 ? 'CPU, 1 thread,' : `CPU, ${count} threads,`;
  await expect(page.getByRole('dialog').locator('dd').first()).toContainText(threads);
  await page.keyboard.press('Escape');
}

const isIsolated = (page: Page): Promise<boolean> => page.evaluate(() => crossOriginIsolated);

/** Training losses in the order of their steps, those of repeated steps included. */
const losses = async (page: Page): Promise<[number, number][]> =>
  (await records(page)).flatMap((record): [number, number][] => {
    const loss = record['train/loss'];
    return loss === undefined ? [] : [[record.step, loss]];
  });

/** Checks the losses of a run of `LONG` against those of another one, which nothing disturbs. */
async function expectUndisturbed(
  terrarium: Terrarium,
  disturbed: readonly [number, number][],
): Promise<void> {
  await terrarium.open(LONG);
  await terrarium.train();
  await terrarium.untilStep(disturbed.at(-1)?.[0] ?? NaN);
  await terrarium.pause();
  const undisturbed = new Map(await losses(terrarium.page));
  expect(disturbed.length).toBeGreaterThanOrEqual(20);
  expect(disturbed.filter(([step, loss]) => undisturbed.get(step) !== loss)).toEqual([]);
}

/** Threads of workers in all pages of the browser. */
async function workerThreads(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  const renderers = processInfo.filter(({ type }) => type === 'renderer');
  const names = await Promise.all(renderers.map(({ id }) => threadNames(id)));
  return names.flat().filter((name) => name.startsWith('DedicatedWorker')).length;
}

/** Names of the threads of a process; none once it has ended. */
async function threadNames(id: number): Promise<string[]> {
  const tasks = await readdir(`/proc/${id}/task`).catch(() => []);
  const name = (task: string): Promise<string> =>
    readFile(`/proc/${id}/task/${task}/comm`, 'utf8').catch(() => '');
  return Promise.all(tasks.map(name));
}

test('the number of threads is changed in a run, and is kept; the losses are the same', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open(LONG);
  await terrarium.train();
  await openDevice(page);
  const threads = page.getByLabel('Threads');
  const adapter = page.getByRole('dialog').locator('dd').first();
  for (const count of [2, 1]) {
    await threads.selectOption(String(count));
    await expect(adapter).toContainText(count === 1 ? 'CPU, 1 thread,' : `CPU, ${count} threads,`);
    await terrarium.untilStep((await terrarium.step()) + 10);
  }
  await terrarium.pause();
  const changing = await losses(page);
  await page.reload();
  await openDevice(page);
  await expect(threads).toHaveValue('1');
  await expect(adapter).toContainText('CPU, 1 thread,');
  await expectUndisturbed(terrarium, changing);
});

test('a run whose thread stops says so, and continues with one thread and the same losses', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({ ...LONG, 'runtime.autosave_interval': 5 });
  await terrarium.train();
  await openDevice(page);
  await page.getByLabel('Threads').selectOption('2');
  await terrarium.untilStep(20);
  await page.evaluate(() => window.terrarium?.loseDevice());
  const notice = page.getByText(/A thread of the processor stopped \(CPU, 1 thread/);
  await expect(notice).toBeVisible();
  await expect(notice).toContainText('its last checkpoint');
  await terrarium.untilStep((await terrarium.step()) + 20);
  await terrarium.pause();
  // Steps since the checkpoint were taken twice.
  await expectUndisturbed(terrarium, await losses(page));
});

test('a tab that is closed while its threads wait leaves none behind', async ({
  page,
  browser,
}) => {
  test.skip(process.platform !== 'linux', 'Threads are counted in /proc.');
  const first = await new Terrarium(page).open(TINY);
  await useThreads(page, 1);
  const alone = await workerThreads(browser);
  // A tab of the same process, which goes on when that tab is closed.
  const opened = page.waitForEvent('popup');
  await page.evaluate((address) => window.open(address), addressOf(LONG));
  const tab = await opened;
  await useThreads(tab, 2);
  const second = new Terrarium(tab);
  await second.train();
  await second.untilStep(20);
  await second.pause();
  // Its training worker, and the thread that helps it.
  expect(await workerThreads(browser)).toBeGreaterThanOrEqual(alone + 2);
  await tab.close();
  await expect.poll(() => workerThreads(browser)).toBe(alone);
  await first.train();
  await first.done();
});

test('a page without headers uses all cores once asked, and no longer once asked not to', async ({
  page,
}) => {
  const site = await new Site().start();
  const terrarium = new Terrarium(page);
  await page.goto(site.address + addressOf(LASTING).slice(2));
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
