/** A base model is taught to answer, seen in the tree, talked to, voted on, rewarded and evaluated. */
import { expect, test, type Page } from '@playwright/test';
import { axeOf } from './axe.ts';
import { smallStage } from './small_stage.ts';
import { overflow, TINY, Terrarium } from './terrarium.ts';

const BASE = {
  ...TINY,
  'data.corpus': 'arithmetic',
  'model.block_size': 64,
  'training.max_iters': 20,
};

const axe = async (page: Page): Promise<string[]> => {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21aa'];
  const { violations } = await axeOf(page, tags).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
};

/** Goes to one of the places of the page. */
const goTo = (page: Page, name: string): Promise<void> =>
  page.getByRole('navigation', { name: 'Places' }).getByRole('button', { name }).click();

interface Small {
  steps: number;
  batch: number;
}

/** Few examples and steps. */
async function makeSmall(page: Page, { steps, batch }: Small): Promise<void> {
  await page.getByLabel('Training examples size').fill('64');
  await page.getByLabel('Training steps max_iters').fill(String(steps));
  await page.getByLabel('Batch size batch_size').fill(String(batch));
}

const start = (page: Page): Promise<void> =>
  page.getByRole('button', { name: 'Train this stage' }).click();

const objective = (page: Page, badge: string): Promise<void> =>
  page.locator('.objectives label').filter({ hasText: badge }).click();

/** Waits until this stage, and not the run before it, has ended. */
async function ended(terrarium: Terrarium, steps: number): Promise<void> {
  await expect(terrarium.sentence).toContainText(`Done. Step ${steps} of ${steps}.`, {
    timeout: 60_000,
  });
}

test('a base model becomes one that answers, is voted on and learns from the votes', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open(BASE);
  await terrarium.train();
  await terrarium.done();

  await test.step('the next stage begins from the model that has just been trained', async () => {
    await page.getByRole('button', { name: 'Teach it to answer' }).click();
    await expect(page.getByRole('heading', { name: 'New stage' })).toBeVisible();
    await expect(page.getByLabel('Task task')).toHaveValue('arithmetic');
    await makeSmall(page, { steps: 21, batch: 4 });
    expect(await axe(page)).toEqual([]);
    await start(page);
    await ended(terrarium, 21);
    await expect(page.getByTestId('before-after').getByRole('listitem')).not.toHaveCount(0);
    await expect(page.locator('math').first()).toBeVisible();
    expect(await axe(page)).toEqual([]);
  });

  await test.step('the tree has it under its parent, and says so before that is deleted', async () => {
    await goTo(page, 'Stages');
    const tree = page.getByTestId('model-tree');
    await expect(tree.getByRole('article')).toHaveCount(2);
    await expect(tree.getByRole('list').getByRole('article')).toContainText('SFT');
    const base = tree.getByRole('article').first();
    await base.getByRole('button', { name: /^More about/ }).click();
    await page.getByRole('menuitem', { name: 'Delete' }).click();
    await expect(base.getByRole('alert')).toContainText('trained from it');
    await base.getByRole('button', { name: 'Keep it' }).click();
    expect(await axe(page)).toEqual([]);
  });

  await test.step('it answers in the chat', async () => {
    await page.getByRole('button', { name: /^Chat with .*SFT/ }).click();
    await page.getByLabel('Message', { exact: true }).fill('123+456=');
    await page.keyboard.press('Enter');
    const answer = page.getByTestId('exchanges').getByRole('article');
    await expect(answer).toContainText('tokens', { timeout: 60_000 });
    expect(await axe(page)).toEqual([]);
  });

  await test.step('its answers are voted on by keyboard, and a vote is taken back', async () => {
    await page.goto(page.url().replace('#chat', '#votes'));
    await page.reload();
    const votes = page.getByTestId('vote-count');
    await expect(page.getByTestId('vote-pair')).toBeVisible({ timeout: 60_000 });
    const press = async (key: string, count: string): Promise<void> => {
      const ready = page.getByRole('button', { name: 'Neither 0' });
      await expect(ready).toHaveAttribute('aria-disabled', 'false');
      await page.keyboard.press(key);
      await expect(votes).toHaveText(count);
    };
    await press('1', '1 vote.');
    await press('2', '2 votes.');
    await press('0', '3 votes, 1 of them for neither.');
    await press('u', '2 votes.');
    expect(await axe(page)).toEqual([]);
  });

  await test.step('DPO learns from the votes', async () => {
    await page.getByRole('button', { name: 'Train DPO on them' }).click();
    await expect(page.getByLabel('Your votes votes')).toHaveValue('beside');
    await makeSmall(page, { steps: 12, batch: 2 });
    await start(page);
    await ended(terrarium, 12);
    await page.getByText('Inside a step').click();
    await expect(page.getByRole('region', { name: 'The stage' })).toContainText('rejected');
    expect(await axe(page)).toEqual([]);
  });

  await test.step('GRPO begins from there, and its groups are seen', async () => {
    await page.getByRole('button', { name: 'Next stage' }).click();
    await objective(page, 'GRPO');
    await makeSmall(page, { steps: 6, batch: 2 });
    await start(page);
    await ended(terrarium, 6);
    expect(await axe(page)).toEqual([]);
  });

  await test.step('an evaluation of the chain ends in its report card', async () => {
    await goTo(page, 'Evaluate');
    const models = page.getByRole('group', { name: 'Models' }).getByRole('checkbox');
    await expect(models).toHaveCount(4);
    for (const model of await models.all()) await model.check();
    await page.getByLabel('Questions').fill('8');
    await page.getByLabel('Longest answer, tokens').fill('8');
    await page.getByRole('button', { name: 'Evaluate 4 models' }).click();
    const card = page.getByRole('region', { name: 'Report card' });
    await expect(card.getByRole('columnheader')).toHaveCount(5, { timeout: 60_000 });
    await expect(card.getByRole('row', { name: /^Exact match/ })).toContainText('n 8');
    expect(await axe(page)).toEqual([]);
  });

  await test.step('no place is wider than a phone', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    for (const place of ['Evaluate', 'Stages', 'Chat', 'Votes', 'Train']) {
      await goTo(page, place);
      await expect(page.getByRole('main')).toBeVisible();
      expect(await overflow(page), place).toBe(0);
    }
  });
});

test('a stage that is reloaded in the middle goes on, and a chain is stopped', async ({ page }) => {
  const terrarium = new Terrarium(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`./?recipe=${encodeURIComponent(btoa(JSON.stringify(CHAIN)))}`);

  await test.step('the chain of the link is trained by one click, and says how far it is', async () => {
    await page.getByRole('button', { name: 'Train all 3 stages' }).first().click();
    const members = page.locator('.chain-progress').getByRole('listitem');
    await expect(members.nth(1)).toContainText('trains', { timeout: 30_000 });
    await expect(members.nth(2)).toContainText('waits');
    expect(await axe(page)).toEqual([]);
    expect(await overflow(page)).toBe(0);
  });

  await test.step('stopping it keeps the stage, and trains no further one', async () => {
    await page.getByRole('button', { name: 'Stop the chain' }).click();
    await expect(page.locator('.chain-progress').first()).toContainText('The chain was stopped.');
    await expect(page.getByRole('button', { name: 'Continue the chain' })).toBeVisible();
    await expect(page.getByTestId('model-tree').getByRole('article')).toHaveCount(2);
  });

  await test.step('a stage goes on from where it was when the page was reloaded', async () => {
    await page.getByRole('button', { name: 'New stage from Small sums', exact: true }).click();
    await makeSmall(page, { steps: 100_000, batch: 4 });
    await start(page);
    await terrarium.untilStep(20);
    await terrarium.pause();
    const step = await terrarium.step();
    await page.reload();
    await goTo(page, 'Train');
    await page.getByRole('button', { name: 'Resume' }).first().click();
    await terrarium.untilStep(step + 1);
    await expect(page.getByRole('main')).toContainText('Before and after');
    expect(await overflow(page)).toBe(0);
  });
});

const TRAINING = { batch_size: 4, warmup_iters: 1, eval_interval: 50, eval_iters: 1 };
const RUNTIME = { backend: 'wasm', autosave_interval: 0 };
const SAMPLING = { sample_interval: 0, max_new_tokens: 8 };

const stageOf = (id: string, parent: string, max_iters: number) =>
  smallStage(id, parent, {
    training: { ...TRAINING, max_iters },
    runtime: RUNTIME,
    sampling: SAMPLING,
  });

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
        training: { ...TRAINING, max_iters: 20 },
        runtime: RUNTIME,
        sampling: SAMPLING,
      },
    },
    stageOf('sft', 'base', 1_000_000),
    stageOf('dpo', 'sft', 10),
  ],
};

test('what a stage cannot learn from is said beside the form, and solved there', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open(BASE);
  await terrarium.train();
  await terrarium.done();
  await page.getByRole('button', { name: 'Teach it to answer' }).click();
  const form = page.getByRole('main');
  const problem = (text: string) => form.locator('.field-problem').filter({ hasText: text });

  const file = (text: string) => ({
    name: 'sums.jsonl',
    mimeType: 'application/jsonl',
    buffer: Buffer.from(text),
  });

  await test.step('PPO without a reward model offers to let code score', async () => {
    await objective(page, 'PPO');
    await expect(problem('PPO needs a reward model').first()).toBeVisible();
    await page.getByRole('button', { name: /^Set score to/ }).click();
    await expect(problem('PPO needs a reward model')).toHaveCount(0);
  });

  await test.step('votes on answers of another run, and a prompt that is too long, are refused', async () => {
    await objective(page, 'DPO');
    await page.getByLabel('Task task').selectOption('own');
    await expect(problem('No file is open.').first()).toBeVisible();
    const vote = { run: '0123abcd', prompt: '1+1=', answers: ['2', '3'], choice: 0 };
    await page.getByTestId('stage-file').setInputFiles(file(JSON.stringify(vote)));
    await start(page);
    await expect(problem('on answers of another run').first()).toBeVisible();
    await objective(page, 'GRPO');
    const asked = { prompt: '1+'.repeat(40), answer: '1' };
    await page.getByTestId('stage-file').setInputFiles(file(JSON.stringify(asked)));
    await start(page);
    await expect(problem('leaves no room for an answer').first()).toBeVisible();
  });

  await test.step('a line that is no JSON is named, and skipped with a count if that is chosen', async () => {
    await objective(page, 'SFT');
    await page.getByLabel('Task task').selectOption('own');
    const good = '{"prompt": "1+1=", "completion": "2"}\n'.repeat(12);
    await page.getByTestId('stage-file').setInputFiles(file(`${good}{"prompt": \n${good}`));
    await page.getByLabel('Training steps max_iters').fill('7');
    await page.getByLabel('Batch size batch_size').fill('4');
    await start(page);
    await expect(problem('Line 13 of "sums.jsonl" is not JSON.').first()).toBeVisible();
    expect(await axe(page)).toEqual([]);
    await page.getByLabel('Lines that cannot be read malformed').selectOption('skip');
    await expect(problem('Line 13')).toHaveCount(0);
    await start(page);
    await ended(terrarium, 7);
    await expect(page.getByText('Malformed lines that were skipped: 1.')).toBeVisible();
  });
});
