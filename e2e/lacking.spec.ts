/**
 * Browsers that lack something of what the engine on the processor uses. Each trains all the same, or
 * refuses beforehand, and says so in a sentence.
 */
import { expect, test, type Locator, type Page } from '@playwright/test';
import { Site } from './site.ts';
import { TINY, Terrarium, addressOf, column, prepareWorker } from './terrarium.ts';

// A service worker could isolate the page.
test.use({ serviceWorkers: 'block' });

const RECIPE = { ...TINY, 'training.max_iters': 20 };

/** Opens the details of the device. */
async function deviceDetails(page: Page): Promise<Locator> {
  await expect(page.getByTestId('device-chip')).toContainText('Processor');
  await page.getByTestId('device-chip').click();
  return page.getByRole('dialog', { name: 'Device details' });
}

/** Losses of a run, from the first step to its end. */
async function trained(terrarium: Terrarium): Promise<Map<number, number>> {
  await terrarium.train();
  await terrarium.done();
  const losses = column(await terrarium.metrics(), 'train/loss');
  expect(losses.size).toBe(RECIPE['training.max_iters']);
  return losses;
}

/** Builds of the engine that the page downloads from now on, to use them or to keep them offline. */
function buildsOf(page: Page): Set<string> {
  const builds = new Set<string>();
  page.context().on('request', (request) => {
    const build = /\/((?:plain|relaxed)(?:_threads)?)-[^/]*\.wasm$/u.exec(request.url())?.[1];
    if (build !== undefined) builds.add(build);
  });
  return builds;
}

test('without isolation one thread trains, with the losses of an isolated page', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open(RECIPE);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  const isolated = await trained(terrarium);

  const host = await new Site().start();
  const builds = buildsOf(page);
  await page.goto(host.address + addressOf(RECIPE).slice(2));
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
  const device = await deviceDetails(page);
  await expect(device).toContainText('CPU, 1 thread, ');
  await expect(device).toContainText(
    'One thread: the host of this page does not send the headers that let it use more.',
  );
  await page.keyboard.press('Escape');
  expect([...(await trained(terrarium))]).toEqual([...isolated]);
  expect([...builds]).toEqual([expect.stringMatching(/^(plain|relaxed)$/u)]);
  await host.stop();
});

test('without SIMD TensorFlow.js trains on the processor, and the page says that it is slower', async ({
  page,
}) => {
  await prepareWorker(page, 'WebAssembly.validate = () => false;');
  const builds = buildsOf(page);
  const terrarium = await new Terrarium(page).open(RECIPE);
  const device = await deviceDetails(page);
  await expect(device).toContainText("This browser's WebAssembly has no SIMD");
  await expect(device).toContainText('So TensorFlow.js computes on the processor');
  await expect(device).toContainText('CPU, TensorFlow.js by WebAssembly');
  await page.keyboard.press('Escape');
  await trained(terrarium);
  expect([...builds]).toEqual([]);
});

/** Refuses modules with f32x4.relaxed_madd. */
const NO_RELAXED_SIMD = `{
  const { validate } = WebAssembly;
  WebAssembly.validate = (bytes) => !/,253,133,2,/.test(bytes.join()) && validate(bytes);
}`;

test('without relaxed SIMD the engine trains by its plain build', async ({ page }) => {
  await prepareWorker(page, NO_RELAXED_SIMD);
  const builds = buildsOf(page);
  const terrarium = await new Terrarium(page).open(RECIPE);
  await expect(await deviceDetails(page)).toContainText(/CPU, \d+ threads?, SIMD/u);
  await page.keyboard.press('Escape');
  await trained(terrarium);
  expect([...builds]).toEqual(['plain_threads']);
});

/** A browser that reserves at most 1 GB for WebAssembly. */
const ONE_GIGABYTE = `{
  const { Memory } = WebAssembly;
  WebAssembly.Memory = function (descriptor) {
    if (descriptor.maximum > 2 ** 30 / 65536) throw new RangeError('could not allocate memory');
    return new Memory(descriptor);
  };
}`;

test('where 1 GB of memory is all, a larger run is refused beforehand, and others train', async ({
  page,
}) => {
  await prepareWorker(page, ONE_GIGABYTE);
  const terrarium = await new Terrarium(page).open({
    ...RECIPE,
    'model.n_layer': 12,
    'model.n_head': 12,
    'model.n_embd': 768,
    'model.block_size': 256,
  });
  await expect(
    terrarium.alert.filter({
      hasText: /The run needs about .*, and a run can have 1024 MiB here/u,
    }),
  ).toContainText('Lower batch_size');
  await expect(terrarium.button('Train')).toHaveAttribute('aria-disabled', 'true');
  await terrarium.open(RECIPE);
  await trained(terrarium);
});

/** A browser that promises memory and then does not give it. */
const NO_MORE_MEMORY = `{
  const { grow } = WebAssembly.Memory.prototype;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * 65536 > 2 ** 27) throw new RangeError('failed to grow');
    return grow.call(this, pages);
  };
}`;

test('memory that the browser promised and does not give ends the start in a sentence', async ({
  page,
}) => {
  await prepareWorker(page, NO_MORE_MEMORY);
  const terrarium = await new Terrarium(page).open({
    ...RECIPE,
    'model.n_head': 8,
    'model.n_embd': 1024,
  });
  await terrarium.train();
  const error = page.getByTestId('error');
  await expect(error).toContainText('The browser gives the processor no more memory: ');
  await expect(error).toContainText('Lower batch_size or choose a smaller model');
  await expect(error).toHaveAttribute('data-code', 'out_of_memory');
  await terrarium.open(RECIPE);
  await trained(terrarium);
});
