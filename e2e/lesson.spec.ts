/** A teacher's link: it opens a recipe in which only some fields can be changed. */
import { expect, test } from '@playwright/test';
import { Terrarium } from './terrarium.ts';

const LESSON = '?v=1&preset=names&lesson=1&training.learning_rate=0.01&runtime.backend=cpu';

test('a lesson shows the fields of its link in words, and no others', async ({ page }) => {
  await page.goto(`./${LESSON}&locked=runtime.backend&n_layer=3&fbclid=x`);
  const lesson = page.getByTestId('lesson');
  await expect(lesson.getByRole('heading')).toHaveText('Lesson: Names');
  await expect(lesson.getByRole('textbox')).toHaveCount(1);
  await expect(lesson).not.toContainText(/learning_rate|n_layer|Loshchilov/);
  await expect(page.getByText('“n_layer” in the link was left out')).toBeVisible();
  const presets = page.getByRole('combobox', { name: 'Recipe', exact: true });
  await expect(presets).toHaveCount(0);
  const rate = lesson.getByLabel('Learning rate');
  await rate.fill('0.02');
  await rate.blur();
  await expect(new Terrarium(page).button('Train')).toBeEnabled();
  await page.getByRole('button', { name: 'Menu' }).click();
  await expect(page.getByRole('menuitem', { name: 'Import model…' })).toHaveCount(0);
  await page.getByRole('menuitem', { name: 'More' }).click();
  await expect(page.getByRole('menuitem', { name: 'Import model…' })).toBeVisible();
  await page.getByRole('menuitem', { name: 'Leave the lesson' }).click();
  await expect(lesson).toHaveCount(0);
  await expect(presets).toBeVisible();
  expect(new URL(page.url()).search).not.toContain('lesson');
});

test('a teacher copies a lesson link with one click, or chooses its fields', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto('./?v=1&preset=names&training.max_iters=77');
  const terrarium = new Terrarium(page);
  await terrarium.menu('Copy lesson link');
  await expect(page.getByText('Lesson link copied.')).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(new URL(copied).search).toBe('?v=1&preset=names&lesson=1&training.max_iters=77');
  // Without a clipboard, as on plain http, the link is shown to be copied by hand.
  await page.evaluate(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  });
  await terrarium.menu('Copy link to this recipe');
  const link = page.getByLabel('Link to this recipe');
  await expect(link).toHaveValue(/\?v=1&.*training\.max_iters=77/);
  await expect(link).toBeFocused();
  const selected = (input: HTMLInputElement): boolean =>
    input.selectionStart === 0 && input.selectionEnd === input.value.length;
  await expect.poll(() => link.evaluate(selected)).toBe(true);
  await page.getByText('More fields').click();
  await page.getByRole('checkbox', { name: 'Layers', exact: true }).check();
  await page.getByRole('checkbox', { name: 'Training steps' }).uncheck();
  await expect(page.getByLabel('Link to the lesson')).toHaveValue(
    /\?v=1&preset=names&lesson=1&model\.n_layer=2&training\.max_iters=77&locked=training\.max_iters$/,
  );
  await page.getByRole('button', { name: 'Copy lesson link' }).click();
  await expect(page.getByText('press Ctrl+C')).toBeVisible();
});
