/** A base model is taught to answer, seen in the tree, talked to and voted on. */
import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { TINY, Terrarium } from './terrarium.ts';

const BASE = {
  ...TINY,
  'data.corpus': 'arithmetic',
  'model.block_size': 64,
  'training.max_iters': 20,
};

const axe = async (page: Page): Promise<string[]> => {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21aa'];
  const { violations } = await new AxeBuilder({ page }).withTags(tags).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
};

test('a base model becomes one that answers, is talked to and voted on', async ({ page }) => {
  const terrarium = await new Terrarium(page).open(BASE);
  await terrarium.train();
  await terrarium.done();

  await test.step('the next stage begins from the model that has just been trained', async () => {
    await page.getByRole('button', { name: 'Teach it to answer' }).click();
    await expect(page.getByRole('heading', { name: 'New stage' })).toBeVisible();
    await expect(page.getByLabel('Task task')).toHaveValue('arithmetic');
    await page.getByLabel('Training examples size').fill('64');
    await page.getByLabel('Training steps max_iters').fill('20');
    await page.getByLabel('Batch size batch_size').fill('4');
    expect(await axe(page)).toEqual([]);
    await page.getByRole('button', { name: 'Train this stage' }).click();
    await terrarium.done();
    await expect(page.getByTestId('before-after').getByRole('listitem')).not.toHaveCount(0);
    await expect(page.locator('math').first()).toBeVisible();
    expect(await axe(page)).toEqual([]);
  });

  await test.step('the tree has it under its parent, and says so before that is deleted', async () => {
    const places = page.getByRole('navigation', { name: 'Places' });
    await places.getByRole('button', { name: 'Stages' }).click();
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

  await test.step('two of its answers are voted on by keyboard, and the vote is taken back', async () => {
    await page.goto(page.url().replace('#chat', '#votes'));
    await page.reload();
    await expect(page.getByTestId('vote-pair')).toBeVisible({ timeout: 60_000 });
    await page.keyboard.press('2');
    await expect(page.getByTestId('vote-count')).toHaveText('1 vote.', { timeout: 60_000 });
    await page.keyboard.press('u');
    await expect(page.getByTestId('vote-count')).toContainText('No votes yet');
    expect(await axe(page)).toEqual([]);
  });
});
