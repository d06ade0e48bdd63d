/**
 * What can happen to a run that nobody is to blame for. Each is said in a sentence, and nothing
 * that was saved is lost.
 */
import { expect, test, type Page } from '@playwright/test';
import { TINY, Terrarium, records, status } from './terrarium.ts';

const long = { ...TINY, 'training.max_iters': 2000, 'runtime.autosave_interval': 5 };

test('the GPU device is lost: the run recovers from its checkpoint by itself, and says so', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({
    ...long,
    'training.max_iters': 40,
    'runtime.backend': 'webgpu',
    headless: 1,
  });
  await terrarium.train();
  await terrarium.untilStep(8);
  await page.evaluate(() => window.terrarium?.loseDevice());
  await expect(page.getByText(/GPU.*lost/i).first()).toBeVisible();
  await terrarium.done();
  expect((await status(page)).device?.backend).toBe('webgpu');
  expect((await records(page)).at(-1)?.step).toBe(40);
});

test('the worker dies: said, and the run resumes from its checkpoint', async ({ page }) => {
  test.setTimeout(300_000);
  const terrarium = await new Terrarium(page).open(long);
  await terrarium.train();
  await terrarium.untilStep(12);
  const worker = page.workers()[0];
  if (!worker) throw new Error('The page has no worker.');
  await worker.evaluate(() => {
    setTimeout(() => self.close(), 0);
  });
  // The page is patient: a single step may take long where two cores do everything.
  await expect(terrarium.sentence).toContainText(/worker (stopped|has not answered)/, {
    timeout: 120_000,
  });
  await expect(page.getByRole('button', { name: 'Restart it' })).toBeVisible();
  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await terrarium.untilStep(15);
});

test('a loss that explodes stops the run, keeps the last good checkpoint and offers a lower rate', async ({
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
  await expect(terrarium.alert.first()).toContainText(/loss/i, { timeout: 120_000 });
  await page.getByRole('button', { name: /Resume with learning_rate/ }).click();
  await expect(terrarium.sentence).toContainText(/^Step \d+ of/, { timeout: 60_000 });
});

/** A private window: the origin private file system refuses. */
const refuseStorage = (page: Page) =>
  page.addInitScript(() => {
    navigator.storage.getDirectory = () =>
      Promise.reject(new DOMException('Storage directory access is denied.', 'SecurityError'));
  });

test('storage refused: the page trains all the same and says that nothing will be kept', async ({
  page,
}) => {
  await refuseStorage(page);
  const terrarium = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 10 });
  await terrarium.train();
  await terrarium.done();
});

test('a tab closed in the middle of training still opens its previous checkpoint', async ({
  page,
  context,
}) => {
  const terrarium = await new Terrarium(page).open({ ...long, 'runtime.autosave_interval': 1 });
  await terrarium.train();
  await terrarium.untilStep(10);
  const session = await context.newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  // The renderer dies at once, with whatever it was writing, and never answers.
  session.send('Page.crash').catch(() => undefined);
  await crashed;
  const next = await context.newPage();
  const again = await new Terrarium(next).open();
  await next.getByRole('button', { name: 'Resume' }).first().click();
  await expect.poll(() => again.step(), { timeout: 60_000 }).toBeGreaterThanOrEqual(5);
  await again.untilStep((await again.step()) + 3);
});
