/** A new build is put in place while pages of the old one are open. */
import { rmSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { nextBuild } from './next_build.ts';
import { Site } from './site.ts';
import { LASTING, Terrarium, addressOf } from './terrarium.ts';

const host = new Site();
let next: string;
test.beforeAll(async () => {
  next = nextBuild('dist', 'The next build');
  await host.start();
});
test.afterAll(async () => {
  await host.stop();
  rmSync(next, { recursive: true });
});

const openRuns = async (page: Page): Promise<void> => {
  await new Terrarium(page).menu('Runs');
  await expect(page.getByRole('dialog', { name: 'Runs' })).toBeVisible();
  await page.keyboard.press('Escape');
};

test('a new build is offered, and taken on request after the run is saved', async ({ context }) => {
  const address = host.address + addressOf(LASTING).slice(2);
  const page = await context.newPage();
  await page.goto(address);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const other = await context.newPage();
  await other.goto(host.address);
  await expect(other.getByTestId('device-chip')).not.toContainText('Detecting');
  // After the look for a new build that opening a page makes.
  await other.evaluate(async () => (await navigator.serviceWorker.getRegistration())?.update());
  const terrarium = new Terrarium(page);
  await terrarium.train();
  host.folder = next;
  await page.bringToFront();
  const message = page.getByTestId('new-version');
  // The browser may still be comparing the old files, as it does after a page was opened.
  await expect(async () => {
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await expect(message).toContainText('A new version of this page', { timeout: 2000 });
  }).toPass();
  // Parts of the old build that were not needed before.
  await openRuns(page);
  await terrarium.untilStep(3);
  await message.getByRole('button', { name: 'Save the run and reload' }).click();
  await expect(page).toHaveTitle('The next build');
  await expect(page.getByTestId('resume-offer')).toContainText('was paused at step');
  await openRuns(page);
  // A tab of the old build still has its parts, and says that it is old.
  await expect(other.getByTestId('new-version')).toBeVisible();
  await openRuns(other);
  await other.getByTestId('new-version').getByRole('button', { name: 'Reload' }).click();
  await expect(other).toHaveTitle('The next build');
});
