/** Own text as it comes in: pasted, as a table that can be read in two ways, dropped, tokenized. */
import { expect, test, type Page } from '@playwright/test';
import { Terrarium, TINY } from './terrarium.ts';

const OWN = { ...TINY, 'data.corpus': 'own', 'tokenizer.kind': 'char' } as const;

const summary = (page: Page) => page.getByTestId('data-summary');

/** Drops files on the page, as a file manager does. */
async function drop(page: Page, files: readonly [name: string, content: string][]): Promise<void> {
  const transfer = await page.evaluateHandle((all) => {
    const data = new DataTransfer();
    for (const [name, content] of all) data.items.add(new File([content], name));
    return data;
  }, files);
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

test('pasted running text is read as it comes, and samples start without a prompt', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({
    ...OWN,
    'training.max_iters': 6,
    'sampling.sample_interval': 3,
  });
  const prose = 'The river rose a hand above the step.\n\nThe ferryman counted it twice.\n\n';
  const field = page.getByRole('textbox', { name: 'Paste a text' });
  await field.fill(prose.repeat(30));
  await expect(summary(page)).toContainText('characters');
  await expect(page.getByText('Pasted text', { exact: true })).toBeVisible();
  // Nothing is lost if Train is pressed at once.
  await field.fill(prose.repeat(40));
  await terrarium.train();
  await terrarium.done();
  await expect(terrarium.alert).toHaveCount(0);
  const generate = page.getByRole('button', { name: /^(Write|Generate)$/ });
  if (await generate.isVisible()) await generate.click();
  await expect(page.getByText('Something')).toHaveCount(0);
});

test('a table that can be read in two ways asks, and offers every column', async ({ page }) => {
  await new Terrarium(page).open(OWN);
  const rows = Array.from({ length: 40 }, (_, i) => `Bread ${i}, butter, and a long afternoon`);
  await drop(page, [['one_column.csv', `text\n${rows.join('\n')}\n`]]);
  const question = page.getByTestId('readings');
  await expect(question).toContainText('This file can be read in 2 ways');
  await expect(question.getByRole('radio', { name: /Each line is one text/ })).toBeChecked();
  await expect(summary(page)).toContainText('butter, and a long afternoon');
  await question.getByRole('radio', { name: /Commas separate/ }).check();
  const column = page.getByLabel('Text in');
  await expect(column).toHaveValue('column 3');
  await column.selectOption('Whole rows');
  await expect(page.getByLabel('Beginning of the text')).toContainText(
    /Bread \d+, butter, and a long/,
  );
});

test('several dropped files are several documents; a model folder is no text', async ({ page }) => {
  const terrarium = await new Terrarium(page).open(OWN);
  await drop(page, [
    ['b.txt', 'The second text is about owls. '.repeat(20)],
    ['a.txt', 'The first text is about foxes. '.repeat(20)],
  ]);
  await expect(page.getByText('2 files', { exact: true })).toBeVisible();
  await expect(summary(page)).toContainText(/Documents\s*2/);
  await drop(page, [
    ['config.json', '{"model_type":"gpt2"}'],
    ['pytorch_model.bin', 'x'],
  ]);
  await expect(terrarium.alert.first()).toContainText(/config\.json|pytorch_model\.bin|tokenizer/);
  await expect(page.getByText('2 files', { exact: true })).toBeVisible();
});

test("the tokenizer's example is encoded, and follows the tokenizer", async ({ page }) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, 'tokenizer.kind': 'char' });
  await expect(summary(page)).toBeVisible();
  await page.getByRole('button', { name: /^Tokenizer/ }).click();
  const tokens = page.getByTestId('token-pieces');
  await expect(tokens.getByRole('listitem').first()).toBeVisible();
  await expect(terrarium.alert).toHaveCount(0);
  await page.getByLabel('Try it').fill('Ünknown');
  await expect(page.getByText(/"Ü" \(U\+00DC\) does not occur/)).toBeVisible();
  await expect(terrarium.sentence).not.toContainText('stopped');
  await page.getByLabel('Try it').fill('anna');
  await expect(tokens.getByRole('listitem')).toHaveCount(4);
  // The text is read also where its own section is closed.
  await terrarium.open(TINY);
  // By keyboard: the sections move while one closes.
  await page.getByRole('button', { name: /^Data/ }).press('Enter');
  await page.getByRole('button', { name: /^Tokenizer/ }).press('Enter');
  await expect(tokens.getByRole('listitem').first()).toBeVisible();
});

test('a lesson on own text takes a file that is dropped', async ({ page }) => {
  await new Terrarium(page).open({ ...OWN, lesson: 1, locked: 'data.corpus' });
  await drop(page, [['river.txt', 'The river rose a hand above the step. '.repeat(40)]]);
  await expect(summary(page)).toContainText('characters');
});
