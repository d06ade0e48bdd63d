/**
 * Failures that the user did not cause. Each is reported in a sentence, and saved checkpoints are
 * kept.
 */
import { expect, test } from '@playwright/test';
import { LASTING, TINY, Terrarium, column, prepareWorker, records, status } from './terrarium.ts';

const long = { ...LASTING, 'runtime.autosave_interval': 5 };

for (const backend of ['webgpu', 'webgl'] as const) {
  test(`a run on ${backend} recovers from its checkpoint when the GPU is lost, and reports it`, async ({
    page,
  }) => {
    const terrarium = await new Terrarium(page).open({
      ...TINY,
      'training.max_iters': 24,
      'runtime.autosave_interval': 5,
      'runtime.backend': backend,
      headless: 1,
    });
    await terrarium.train();
    await terrarium.untilStep(8);
    await page.evaluate(() => window.terrarium?.loseDevice());
    await expect(page.getByText(/GPU.*lost/i).first()).toBeVisible();
    await terrarium.done();
    expect((await status(page)).device?.backend).toBe(backend);
    const losses = column(await records(page), 'train/loss');
    expect([...losses.keys()].at(-1)).toBe(24);
    // A lost WebGL context reads zeros.
    expect(Math.min(...losses.values())).toBeGreaterThan(1);
  });
}

test('reports a dead worker and resumes the run from its checkpoint after a reload', async ({
  page,
}) => {
  await page.clock.install();
  const terrarium = await new Terrarium(page).open(long);
  await terrarium.train();
  await terrarium.untilStep(12);
  const worker = page.workers()[0];
  if (!worker) throw new Error('The page has no worker.');
  await worker.evaluate(() => {
    setTimeout(() => self.close(), 0);
  });
  // The page waits long before it reports this, since one step may be slow on a busy machine: its
  // clock is turned forward, a ping at a time.
  const sentenceAfterPing = async (): Promise<string | null> => {
    await page.clock.runFor(5000);
    return terrarium.sentence.textContent();
  };
  await expect
    .poll(sentenceAfterPing, { timeout: 120_000 })
    .toMatch(/worker (stopped|has not answered)/);
  await expect(page.getByRole('button', { name: 'Restart' })).toBeVisible();
  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await terrarium.untilStep(15);
});

test('an exploding loss stops the run and offers to resume with a lower learning rate', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({
    ...long,
    'training.optimizer': 'sgd',
    'training.learning_rate': 10,
    'training.grad_clip': 0,
    'training.min_lr': 10,
    'training.weight_decay': 10,
    'training.lr_schedule': 'constant',
    'training.warmup_iters': 1500,
  });
  await terrarium.train();
  const error = page.getByTestId('error');
  await expect(error).toContainText(/^The loss .+ at step \d+\./, {
    timeout: 120_000,
  });
  const learningRates = column(await terrarium.metrics(), 'lr');
  const failedRate = [...learningRates.values()].at(-1) ?? NaN;

  const resume = page.getByRole('button', { name: /^Resume with learning rate [\d.e-]+$/ });
  const offeredRate = Number((await resume.textContent())?.split(' ').at(-1));
  expect(offeredRate).toBeGreaterThan(0);
  expect(offeredRate).toBeLessThan(failedRate / 2);

  await resume.click();
  await expect(error).toBeHidden();
  await expect(terrarium.sentence).toContainText(/^Step \d+ of/, { timeout: 60_000 });
  const resumedFrom = await terrarium.step();
  await terrarium.untilStep(resumedFrom + 2);
  const resumedRates = column(await terrarium.metrics(), 'lr');
  for (const [step, rate] of resumedRates)
    if (step > resumedFrom) expect(rate, `learning rate of step ${step}`).toBeLessThan(failedRate);
  expect([...resumedRates.keys()].at(-1)).toBeGreaterThan(resumedFrom);
});

/** As in a private window: the origin private file system is not available in the worker. */
const DENIED_STORAGE = `StorageManager.prototype.getDirectory = () =>
  Promise.reject(new DOMException('Storage directory access is denied.', 'SecurityError'));`;

test('trains without storage and warns that runs are lost with the tab', async ({ page }) => {
  await prepareWorker(page, DENIED_STORAGE);
  const terrarium = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 10 });
  const warning = page.getByTestId('storage-refused');
  await expect(warning).toContainText('The browser denies storage');
  await expect(warning).toContainText('runs are lost when you close the tab');
  await terrarium.train();
  await terrarium.done();
  await expect(warning, 'still shown after the run').toBeVisible();
  await page.reload();
  await terrarium.menu('Runs');
  await expect(page.getByRole('dialog')).toContainText('The browser denies storage');
  await expect(page.getByTestId('runs'), 'nothing was kept').toBeHidden();
});

test('a run resumes from its previous checkpoint after its tab crashed', async ({
  page,
  context,
}) => {
  const terrarium = await new Terrarium(page).open({ ...long, 'runtime.autosave_interval': 1 });
  await terrarium.train();
  await terrarium.untilStep(10);
  const session = await context.newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  // The renderer dies at once, in the middle of any write, and never answers.
  session.send('Page.crash').catch(() => undefined);
  await crashed;
  const next = await context.newPage();
  const restored = await new Terrarium(next).open();
  await next.getByRole('button', { name: 'Resume' }).first().click();
  await expect.poll(() => restored.step(), { timeout: 60_000 }).toBeGreaterThanOrEqual(5);
  await restored.untilStep((await restored.step()) + 3);
});

test('says that storage is full while a run trains on, and saves it again whole after it was cleared', async ({
  page,
  context,
  baseURL,
}) => {
  const { origin } = new URL(baseURL ?? '');
  const session = await context.newCDPSession(page);
  const terrarium = await new Terrarium(page).open(long);
  await terrarium.train();
  await terrarium.untilStep(6);
  // The browser's own limit, which holds in the worker too.
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1000 });
  const trouble = page.getByTestId('trouble-save');
  await expect(trouble).toContainText('is full, so the run was not saved');
  await terrarium.untilStep((await terrarium.step()) + 6);
  await expect(trouble, 'while training goes on').toBeVisible();
  await session.send('Storage.overrideQuotaForOrigin', { origin });
  await expect(trouble).toBeHidden();

  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'file_systems' });
  await expect(page.getByText('the run was saved again with its text')).toBeVisible();
  await terrarium.pause();
  const pausedAt = await terrarium.step();
  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await expect.poll(() => terrarium.step(), { timeout: 60_000 }).toBeGreaterThanOrEqual(pausedAt);
  const losses = column(await terrarium.metrics(), 'train/loss');
  expect(losses.has(1), 'metrics from the first step on').toBe(true);
});
