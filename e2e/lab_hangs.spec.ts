/** Ranks that hang, and ranks whose workers end by themselves: the run ends, its checkpoint is complete. */
import { expect, type Page, test, type Worker } from '@playwright/test';
import { addressOf, TINY } from './terrarium.ts';

const RECIPE = {
  ...TINY,
  'training.max_iters': 1_000_000,
  'training.eval_interval': 1_000_000,
  'runtime.autosave_interval': 100,
};

const sentence = (page: Page) => page.getByTestId('lab-sentence');
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

/** Starts two ranks and waits for their first steps; resolves to the workers of the second one. */
async function startTwoRanks(
  page: Page,
  start = button(page, 'Start 2 ranks'),
): Promise<{ rank: Worker; reducer: Worker }> {
  const before = new Set(page.workers());
  await start.click();
  await expect(sentence(page)).toContainText(/^Step [1-9]/u, { timeout: 60_000 });
  const started = page.workers().filter((worker) => !before.has(worker));
  const lastOf = (name: string) => started.findLast((worker) => worker.url().includes(`/${name}-`));
  const rank = lastOf('worker');
  const reducer = lastOf('reducer_worker');
  if (!rank || !reducer) throw new Error('The ranks have no workers.');
  return { rank, reducer };
}

async function stepOf(page: Page): Promise<number> {
  const shown = (await sentence(page).textContent()) ?? '';
  return Number(/^Step (?<step>[\d,]+)/u.exec(shown)?.groups?.step?.replaceAll(',', ''));
}

/** Runs an expression in a worker; returns the page's failure and how long it took, in milliseconds. */
async function failureAfter(page: Page, worker: Worker, expression: string) {
  const failure = page.getByTestId('lab-failure');
  const began = Date.now();
  // A busy worker never answers.
  void worker.evaluate(expression).catch(() => undefined);
  await expect(failure).toBeVisible({ timeout: 20_000 });
  const ms = Date.now() - began;
  const text = (await failure.textContent()) ?? '';
  console.log(`${expression}: after ${ms} ms: ${text}`);
  return { ms, text };
}

test('ranks that hang or end by themselves end the run, which continues from its last automatic save', async ({
  page,
}) => {
  await page.goto(`${addressOf(RECIPE)}#ranks`);
  const { rank } = await startTwoRanks(page);
  // It saves itself while it trains.
  await expect(page.getByText(/^Saved as/u)).toBeVisible({ timeout: 60_000 });
  await expect(button(page, 'Pause')).toBeVisible();
  const hung = await failureAfter(page, rank, 'for (;;);');
  const { seconds } =
    /has not answered for (?<seconds>[\d.]+) seconds/u.exec(hung.text)?.groups ?? {};
  // Three of the longest steps, and the time between two checks.
  expect(hung.ms).toBeLessThan(1000 * Number(seconds) + 2000);
  const saved = Number(
    /The checkpoint of step (?<step>\d+) is complete/u.exec(hung.text)?.groups?.step,
  );

  const goesOn = page.getByRole('button', { name: /^Continue from step/u });
  const continued = await startTwoRanks(page, goesOn);
  await expect.poll(() => stepOf(page)).toBeGreaterThan(saved);
  const ended = await failureAfter(page, continued.rank, 'self.close()');
  expect(ended.text).toContain('its worker ended by itself');
  expect(ended.ms).toBeLessThan(2000);
  const { reducer } = await startTwoRanks(page);
  const stopped = await failureAfter(page, reducer, 'self.close()');
  expect(stopped.text).toMatch(/^Rank [01] failed: The worker that adds up its gradients/u);
  expect(stopped.ms).toBeLessThan(2000);
});

test('the end of a worker is noticed at once where a step takes seconds', async ({ page }) => {
  const slow = { ...RECIPE, 'training.gradient_accumulation_steps': 600, 'model.n_embd': 64 };
  await page.goto(`${addressOf(slow)}#ranks`);
  const { rank } = await startTwoRanks(page);
  const ended = await failureAfter(page, rank, 'self.close()');
  expect(ended.text).toContain('its worker ended by itself');
  expect(ended.ms).toBeLessThan(5000);
});
