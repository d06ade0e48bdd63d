/** The page on plain http in a local network, where a browser offers less than on https. */
import { expect, test } from '@playwright/test';
import { TINY, Terrarium, addressOf } from './terrarium.ts';

test('trains on plain http, and says that runs are not kept', async ({ page, baseURL }) => {
  const site = 'http://terrarium.test/';
  // Answered from the test's own server: for the browser, this host is in a network.
  await page.route(`${site}**`, async (route) => {
    const response = await route.fetch({
      url: route
        .request()
        .url()
        .replace(site, baseURL ?? ''),
    });
    await route.fulfill({ response });
  });
  await page.goto(site + addressOf({ ...TINY, 'training.max_iters': 2 }).slice(2));
  expect(await page.evaluate(() => window.isSecureContext)).toBe(false);
  const terrarium = new Terrarium(page);
  await terrarium.train();
  await terrarium.done();
  await expect(page.getByTestId('storage-refused')).toBeVisible();
});
