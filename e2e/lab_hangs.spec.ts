/** Ranks that hang or whose workers end by themselves: the run ends in a sentence, its checkpoint stays. */
import { expect, type Page, test, type Worker } from '@playwright/test';
import { addressOf, TINY } from './terrarium.ts';

const RECIPE = { ...TINY, 'training.max_iters': 1_000_000, 'training.eval_interval': 1_000_000 };

/** Two ranks that have saved a checkpoint and train on; resolves to the worker of one of them. */
async function trainTwoRanks(page: Page): Promise<Worker> {
  await page.goto(`${addressOf(RECIPE)}#ranks`);
  const mesh = page.getByRole('region', { name: 'Mesh', exact: true });
  await mesh.getByLabel('Data parallel', { exact: true }).fill('2');
  await mesh.getByLabel('Tensor parallel', { exact: true }).fill('1');
  const before = new Set(page.workers());
  await page.getByRole('button', { name: 'Start 2 ranks' }).click();
  const sentence = page.getByTestId('lab-sentence');
  await expect(sentence).toContainText(/Step [1-9]/u, { timeout: 60_000 });
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByRole('button', { name: 'Save as a run' }).click();
  await expect(page.getByText(/^Saved as/u)).toBeVisible();
  await page.getByRole('button', { name: 'Continue', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeVisible();
  const rank = page
    .workers()
    .filter((worker) => !before.has(worker))
    .at(-1);
  if (!rank) throw new Error('The ranks have no workers.');
  return rank;
}

/** Milliseconds until the page says that a rank is lost, and what it says. */
async function failureAfter(page: Page, what: () => Promise<unknown>): Promise<[number, string]> {
  const failure = page.getByTestId('lab-failure');
  const began = Date.now();
  // A busy worker never answers.
  void what().catch(() => undefined);
  await expect(failure).toBeVisible({ timeout: 20_000 });
  return [Date.now() - began, (await failure.textContent()) ?? ''];
}

test('a rank that hangs ends the run within three of its longest steps', async ({ page }) => {
  const rank = await trainTwoRanks(page);
  const [ms, sentence] = await failureAfter(page, () => rank.evaluate('for (;;);'));
  console.log(`hang: ${ms} ms: ${sentence}`);
  const patience = /has not answered for (?<seconds>[\d.]+) seconds/u.exec(sentence)?.groups
    ?.seconds;
  expect(ms).toBeLessThan(1000 * Number(patience) + 2000);
  expect(sentence).toMatch(/The checkpoint of step \d+ is whole/u);
});

test('a rank whose worker ends by itself ends the run within 5 seconds', async ({ page }) => {
  const rank = await trainTwoRanks(page);
  const [ms, sentence] = await failureAfter(page, () => rank.evaluate('self.close()'));
  console.log(`closed: ${ms} ms: ${sentence}`);
  expect(ms).toBeLessThan(5000);
  expect(sentence).toMatch(/is gone|has not answered/u);
  expect(sentence).toMatch(/The checkpoint of step \d+ is whole/u);
});
