/**
 * What a person can get wrong. Each gets one plain sentence of what happened and one of what to do.
 */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from '@playwright/test';
import { TINY, Terrarium, type Query } from './terrarium.ts';

/** Configurations that the page refuses before it starts anything, and what it says. */
const IMPOSSIBLE: [string, Query, RegExp, RegExp][] = [
  [
    'a width not divisible by heads',
    { 'model.n_head': 3 },
    /16 cannot be shared out evenly among 3 heads/,
    /Set n_embd to 15, or n_head to/,
  ],
  [
    'an option of the other layout',
    { 'model.qk_norm': true },
    /GPT-2 layout has no norm on queries and keys/,
    /Choose the Llama layout/,
  ],
  [
    'a schedule that ends above its start',
    { 'training.min_lr': 0.5 },
    /end at 0\.5, above/,
    /Set min_lr to at most/,
  ],
  [
    'a warm-up longer than the run',
    { 'training.warmup_iters': 50 },
    /Warm-up takes 50 steps/,
    /at most 40/,
  ],
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

/** Texts and tokenizers that cannot be used. */
const TEXTS: [string, Query, string | Uint8Array, RegExp][] = [
  ['empty', {}, '', /"mine\.txt" has no text in it/],
  ['too short for the context', {}, 'ab\n\ncd\n\nef', /tokens/],
  ['not UTF-8', {}, Uint8Array.of(0xff, 0xfe, 0x61, 0x00, 0x62, 0x00), /not text in UTF-8/],
  [
    'too small for the vocabulary',
    { 'tokenizer.kind': 'bpe', 'tokenizer.vocab_size': 20_000 },
    'the cat sat on the mat\n\n'.repeat(3) + 'the dog ran\n\nthe end of the story',
    /vocabulary of \d+ tokens at most/,
  ],
];
for (const [what, change, text, says] of TEXTS) {
  test(`a text that is ${what} is said in a sentence`, async ({ page }) => {
    const terrarium = await new Terrarium(page).open({ ...TINY, 'data.corpus': 'own', ...change });
    await page
      .getByTestId('text-input')
      .setInputFiles({ name: 'mine.txt', mimeType: 'text/plain', buffer: Buffer.from(text) });
    await expect(terrarium.alert.filter({ hasText: says }).first()).toBeVisible({
      timeout: 30_000,
    });
  });
}

test('a text larger than the page can hold is said before it is read', async ({ page }, info) => {
  const large = info.outputPath('large.txt');
  await mkdir(dirname(large), { recursive: true });
  const file = await open(large, 'w');
  await file.truncate(200 * 2 ** 20);
  await file.close();
  const terrarium = await new Terrarium(page).open({ ...TINY, 'data.corpus': 'own' });
  await page.getByTestId('text-input').setInputFiles(large);
  await expect(
    terrarium.alert.filter({ hasText: /200 MB, more than a page can hold/ }).first(),
  ).toBeVisible({ timeout: 60_000 });
});

test('a tokenizer.json of an unsupported kind is said in a sentence', async ({ page }) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, 'tokenizer.kind': 'imported' });
  await page.getByRole('button', { name: /^Tokenizer/ }).click();
  const unigram = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: 'Quantum', vocab: [] },
  };
  await page.getByTestId('tokenizer-input').setInputFiles({
    name: 'tokenizer.json',
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify(unigram)),
  });
  await expect(
    terrarium.alert.filter({ hasText: /tokenizer\.json is not supported/ }).first(),
  ).toBeVisible({ timeout: 30_000 });
});

test('one tensor above the binding limit is said beforehand, the logits first', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({
    ...TINY,
    'runtime.backend': 'webgpu',
    'tokenizer.kind': 'byte',
    'model.block_size': 4096,
    'training.batch_size': 4096,
  });
  await expect(
    terrarium.alert.filter({ hasText: /One tensor, the logits .* binds at most/ }).first(),
  ).toBeVisible({ timeout: 30_000 });
  await expect(terrarium.button('Train')).toHaveAttribute('aria-disabled', 'true');
});
