/** What a person can get wrong. Each gets one plain sentence of what happened and one of what to do. */
import { expect, test } from '@playwright/test';
import { TINY, Terrarium, type Query } from './terrarium.ts';

/** Configurations that the page refuses before it starts anything, and what it says. */
const IMPOSSIBLE: [string, Query, RegExp, RegExp][] = [
  ['a width not divisible by heads', { 'model.n_head': 3 }, /16 cannot be shared out evenly among 3 heads/, /Set n_embd to 15, or n_head to/],
  ['an option of the other layout', { 'model.qk_norm': true }, /GPT-2 layout has no norm on queries and keys/, /Choose the Llama layout/],
  ['a schedule that ends above its start', { 'training.min_lr': 0.5 }, /end at 0\.5, above/, /Set min_lr to at most/],
  ['a warm-up longer than the run', { 'training.warmup_iters': 50 }, /Warm-up takes 50 steps/, /at most 40/],
];
for (const [what, change, says, hints] of IMPOSSIBLE) {
  test(`${what} is refused in place`, async ({ page }) => {
    const terrarium = await new Terrarium(page).open({ ...TINY, ...change });
    await expect(page.getByText(says).first()).toBeVisible();
    await expect(page.getByText(hints).first()).toBeVisible();
    await expect(terrarium.button('Train')).toHaveAttribute('aria-disabled', 'true');
  });
}

/** Addresses that are no configuration. */
const ADDRESSES: [string, string, RegExp][] = [
  ['an unknown version', '?v=9', /version 9, and this page reads version 1/],
  ['an unknown field', '?v=1&model.n_layers=2', /model\.n_layers.*Did you mean model\.n_layer\?/s],
  ['a value out of range', '?v=1&model.n_layer=999', /model\.n_layer cannot be "?999/],
  ['an unknown preset', '?preset=nope', /no preset "nope"/],
  ['a hostile key', '?v=1&__proto__.x=1', /__proto__/],
];
for (const [what, search, says] of ADDRESSES) {
  test(`an address with ${what} is said, and the page works on`, async ({ page }) => {
    await page.goto(`./${search}`);
    await expect(page.getByText(says).first()).toBeVisible();
    await expect(page.getByRole('group', { name: 'Training' })).toBeVisible();
  });
}
