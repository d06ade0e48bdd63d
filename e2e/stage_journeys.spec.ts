/** A chain of stages on a phone's width and by keyboard alone, and one whose page is reloaded. */
import { expect, test, type Locator, type Page } from '@playwright/test';
import { chooseRadio, pressButton, tabTo, typeInto } from './keyboard.ts';
import { smallStage } from './small_stage.ts';
import { overflow, TINY, Terrarium } from './terrarium.ts';

test.use({ viewport: { width: 390, height: 844 } });

const BASE = {
  ...TINY,
  'data.corpus': 'arithmetic',
  'model.block_size': 64,
  'training.max_iters': 20,
};

/** Fills in the form of a new stage and starts it. */
async function trainStage(page: Page, steps: number): Promise<void> {
  await typeInto(page, 'Training examples size', '64');
  await typeInto(page, 'Batch size batch_size', '2');
  await typeInto(page, 'Training steps max_iters', String(steps));
  expect(await overflow(page)).toBe(0);
  await pressButton(page, 'Train this stage');
  const sentence = page.getByTestId('state-sentence');
  await expect(sentence).toContainText(`Done. Step ${steps} of ${steps}.`, { timeout: 60_000 });
  await expect(page.locator('.main-button')).toBeFocused();
}

const heading = (page: Page, name: string): Locator =>
  page.getByRole('heading', { level: 1, name });

test('the whole chain is walked at 390 pixels by keyboard alone', async ({ page }) => {
  const terrarium = await new Terrarium(page).open(BASE);

  await test.step('a base model is trained', async () => {
    await pressButton(page, 'Train');
    await terrarium.done();
    await expect(page.locator('.main-button')).toBeFocused();
  });

  await test.step('SFT teaches it to answer', async () => {
    await pressButton(page, 'Teach it to answer', 'Shift+Tab');
    await expect(heading(page, 'New stage')).toBeVisible();
    await trainStage(page, 11);
  });

  await test.step('digits vote on its answers', async () => {
    await pressButton(page, 'Votes');
    await expect(heading(page, 'Votes')).toBeVisible();
    for (const [key, count] of [
      ['1', '1 vote.'],
      ['2', '2 votes.'],
    ] as const) {
      const ready = page.getByRole('button', { name: 'Neither 0' });
      await expect(ready).toHaveAttribute('aria-disabled', 'false', { timeout: 60_000 });
      await page.keyboard.press(key);
      await expect(page.getByTestId('vote-count')).toHaveText(count);
    }
    expect(await overflow(page)).toBe(0);
  });

  await test.step('DPO learns from the votes', async () => {
    await pressButton(page, 'Train DPO on them');
    await expect(heading(page, 'New stage')).toBeFocused();
    await expect(page.getByLabel('Your votes votes')).toHaveValue('beside');
    await trainStage(page, 7);
  });

  await test.step('GRPO goes on from there', async () => {
    await pressButton(page, 'Next stage');
    await expect(heading(page, 'New stage')).toBeVisible();
    await chooseRadio(page, 'What it learns', /GRPO/u);
    await trainStage(page, 4);
  });

  await test.step('the last model answers in the chat', async () => {
    await pressButton(page, 'Chat');
    await expect(heading(page, 'Chat')).toBeVisible();
    await typeInto(page, 'Message', '1+1=');
    await page.keyboard.press('Enter');
    const answer = page.getByTestId('exchanges').getByRole('article');
    await expect(answer).toContainText('tokens', { timeout: 60_000 });
    expect(await overflow(page)).toBe(0);
  });

  await test.step('all four are evaluated, and their report card is read', async () => {
    await pressButton(page, 'Evaluate');
    const models = page.getByRole('group', { name: 'Models' }).getByRole('checkbox');
    await expect(models).toHaveCount(4);
    await tabTo(page, { role: 'checkbox', name: /./u });
    for (const model of await models.all()) {
      await expect(model).toBeFocused();
      if (!(await model.isChecked())) await page.keyboard.press('Space');
      await page.keyboard.press('Tab');
    }
    await typeInto(page, 'Questions', '8');
    await typeInto(page, 'Longest answer, tokens', '8');
    await pressButton(page, 'Evaluate 4 models');
    const card = page.getByRole('region', { name: 'Report card' });
    await expect(card.getByRole('columnheader')).toHaveCount(5, { timeout: 60_000 });
    await expect(card.getByRole('row', { name: /^Exact match/u })).toContainText('n 8');
    await expect(page.getByRole('button', { name: 'Evaluate 4 models' })).toBeFocused();
    await tabTo(page, { role: 'combobox', name: 'Last model of the chain' });
    await tabTo(page, { role: 'group', name: 'Table of the report card' });
    await page.keyboard.press('ArrowRight');
    const scrolled = () => page.locator(':focus').evaluate((table) => table.scrollLeft);
    await expect.poll(scrolled).toBeGreaterThan(0);
    expect(await overflow(page)).toBe(0);
  });
});

const TRAINING = { warmup_iters: 1, eval_interval: 1000, eval_iters: 1 };
const RUNTIME = { backend: 'wasm', autosave_interval: 20 };
const SAMPLING = { sample_interval: 0, max_new_tokens: 8 };

const stageOf = (id: string, parent: string, training: object) =>
  smallStage(id, parent, {
    training: { ...TRAINING, ...training },
    runtime: RUNTIME,
    sampling: SAMPLING,
  });

/** The second stage takes some seconds, so that it is met in its middle. */
const CHAIN = {
  name: 'Quick chain',
  stages: [
    {
      id: 'base',
      name: 'Small sums',
      config: {
        data: { corpus: 'arithmetic' },
        tokenizer: { kind: 'char' },
        model: { n_layer: 1, n_head: 2, n_embd: 16, block_size: 64 },
        training: { ...TRAINING, batch_size: 4, max_iters: 20 },
        runtime: RUNTIME,
        sampling: SAMPLING,
      },
    },
    stageOf('sft', 'base', { batch_size: 32, max_iters: 600 }),
    stageOf('dpo', 'sft', { batch_size: 2, max_iters: 8 }),
  ],
};

test('a chain whose page is reloaded in its second stage is continued to its end', async ({
  page,
}) => {
  const terrarium = new Terrarium(page);
  await page.goto(`./?recipe=${encodeURIComponent(btoa(JSON.stringify(CHAIN)))}#stages`);
  const models = page.getByTestId('model-tree').getByRole('article');
  const members = page.locator('.chain-progress').getByRole('listitem');

  await test.step('the page is reloaded while the second stage trains', async () => {
    await page.getByRole('button', { name: 'Train all 3 stages' }).first().click();
    const step = async (): Promise<number> => {
      const text = (await terrarium.sentence.textContent()) ?? '';
      return Number(/Step (\d+) of 600/u.exec(text)?.[1] ?? 0);
    };
    await expect.poll(step, { timeout: 60_000, intervals: [50] }).toBeGreaterThanOrEqual(60);
    await page.reload();
  });

  const again = page.getByRole('button', { name: 'Continue the chain' });
  const standing = page.locator('.chain-progress').filter({ has: again });
  const ids = async (): Promise<(string | null)[]> => {
    const found = await models.all();
    return Promise.all(found.map((model) => model.getAttribute('data-testid')));
  };
  let before: (string | null)[] = [];
  let saved = 0;

  await test.step('what was saved is there, and the page says where the chain stands', async () => {
    await expect(standing).toContainText('1 of 3 stages is done.', { timeout: 30_000 });
    const text = (await standing.textContent()) ?? '';
    saved = Number(/“Small sums, sft” is saved at step (\d+) of 600/u.exec(text)?.[1]);
    expect(saved).toBeGreaterThanOrEqual(20);
    expect(saved).toBeLessThan(600);
    await expect(models).toHaveCount(2);
    await expect(models.first()).toContainText('step 20 of 20');
    before = await ids();
    expect(await overflow(page)).toBe(0);
  });

  await test.step('it goes on with the stage that trained, and ends', async () => {
    await again.click();
    await expect(members).toHaveText([/done/u, /trains/u, /waits/u]);
    await terrarium.untilStep(1);
    expect(await terrarium.step()).toBeGreaterThanOrEqual(saved);
    await expect(members).toHaveText([/done/u, /done/u, /done/u], { timeout: 60_000 });
    await expect(models).toHaveCount(3);
    expect((await ids()).slice(0, 2)).toEqual(before);
    await expect(models.nth(1)).toContainText('step 600 of 600');
    await expect(models.nth(2)).toContainText('step 8 of 8');
    await expect(again).toHaveCount(0);
  });
});
