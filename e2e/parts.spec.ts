/** Parts of the page that do not arrive: the rest goes on, and a retry gets them. */
import { expect, test } from '@playwright/test';
import { Site } from './site.ts';
import { LASTING, TINY, Terrarium, addressOf, type Query } from './terrarium.ts';

const host = new Site();
// A service worker would have the parts already.
test.use({ serviceWorkers: 'block' });
test.beforeAll(() => host.start());
test.afterAll(() => host.stop());

const address = (query: Query): string => host.address + addressOf({ ...TINY, ...query }).slice(2);

test('without charts and dialogs the run trains on, and Retry shows them', async ({ page }) => {
  host.missing = /\/(Charts|Library|Compare|Profile)-[^/]*\.(js|css)$/;
  const terrarium = new Terrarium(page);
  await page.goto(address(LASTING));
  await terrarium.train();
  const broken = page.getByTestId('broken-part');
  const loss = broken.filter({ hasText: 'The loss could not be downloaded. Check the network' });
  await expect(loss).toBeVisible();
  for (const [item, title] of [
    ['Runs', 'The list of runs'],
    ['Compare backends', 'The comparison'],
    ['Profile a step', 'The profile'],
  ] as const) {
    await terrarium.menu(item);
    const dialog = broken.filter({ hasText: title });
    await expect(dialog).toContainText('could not be downloaded');
    await dialog.getByRole('button', { name: 'Close' }).click();
  }
  const step = await terrarium.step();
  await terrarium.untilStep(step + 1);
  host.missing = null;
  await loss.getByRole('button', { name: 'Retry' }).click();
  await expect(page.getByTestId('chart-loss')).toBeVisible();
  await broken.getByRole('button', { name: 'Retry' }).click();
  await terrarium.menu('Profile a step');
  const sheet = page.getByRole('dialog', { name: /profile/i });
  await expect(sheet).toBeVisible();
  await expect(broken).toHaveCount(0);
  // The save below waits for the measurement.
  const sentence = sheet.getByTestId('profile-sentence');
  await expect(sentence).toContainText('A step takes', { timeout: 60_000 });
  await page.keyboard.press('Escape');
  // The reload offered for a part that stays away saves first.
  host.missing = /\/Library-[^/]*\.(js|css)$/;
  await terrarium.menu('Runs');
  await broken.getByRole('button', { name: 'Save the run and reload' }).click();
  await expect(page.getByTestId('resume-offer')).toContainText('was paused at step');
});

test('a backend that does not arrive is named, and another one is used', async ({ page }) => {
  // The automatic choice: WebGPU runs in software here, so the engine on the processor is next.
  host.missing = /\.wasm$/;
  await page.goto(address({ 'runtime.backend': 'auto' }));
  const chip = page.getByTestId('device-chip');
  await expect(chip).toContainText('JavaScript');
  await chip.click();
  await expect(page.getByRole('dialog', { name: 'Device details' })).toContainText(
    'The code for the processor (WebAssembly) could not be downloaded.',
  );
  for (const [backend, name] of [
    ['wasm', 'the processor (WebAssembly)'],
    ['webgpu', 'WebGPU'],
  ]) {
    host.missing = /\.wasm$|\/backend_webgpu-[^/]*\.js$/;
    await page.goto(address({ 'runtime.backend': backend ?? '' }));
    await expect(page.getByTestId('error')).toContainText(
      `The code for ${name} could not be downloaded. Check the network and reload the page`,
    );
  }
});
