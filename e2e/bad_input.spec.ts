/** User errors: each is reported in one sentence, with a second one on how to fix it. */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from '@playwright/test';
import { TINY, Terrarium, type Query } from './terrarium.ts';

/** Configurations that are rejected before a run starts: name, fields, message and hint. */
const INVALID_CONFIGS: [string, Query, RegExp, RegExp][] = [
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
];
for (const [name, fields, message, hint] of INVALID_CONFIGS) {
  test(`rejects ${name} next to the field`, async ({ page }) => {
    const terrarium = await new Terrarium(page).open({ ...TINY, ...fields });
    await expect(page.getByText(message).first()).toBeVisible();
    await expect(page.getByText(hint).first()).toBeVisible();
    await expect(terrarium.button('Train')).toHaveAttribute('aria-disabled', 'true');
  });
}

/** URLs with something that cannot be used: name, query and message. */
const INVALID_URLS: [string, string, RegExp][] = [
  ['an unknown version', '?v=9', /version 9, and this page reads version 1/],
  [
    'an unknown field',
    '?v=1&model.n_layers=2',
    /“model\.n_layers” .*left out.* Did you mean model\.n_layer\?/s,
  ],
  ['a value out of range', '?v=1&model.n_layer=999', /model\.n_layer cannot be "?999/],
  ['an unknown preset', '?preset=nope', /no preset "nope"/],
  ['a hostile key', '?v=1&__proto__.x=1', /__proto__/],
];
for (const [name, search, message] of INVALID_URLS) {
  test(`reports a URL with ${name} and stays usable`, async ({ page }) => {
    await page.goto(`./${search}&fbclid=x`);
    expect(new URL(page.url()).search).not.toContain('fbclid');
    await expect(page.getByText(message).first()).toBeVisible();
    await expect(page.getByRole('button', { name: 'Train Names', exact: true })).toBeEnabled();
    // No card was chosen, so that there is nothing that Train in the bar would start.
    await expect(page.getByRole('group', { name: 'Training' })).toBeHidden();
  });
}

test('keeps the rest of a link with a wrong value and the keys of others', async ({ page }) => {
  const link = '?v=1&preset=names&fbclid=x&model.n_layer=999&training.max_iters=77&utm_source=y';
  await page.goto(`./${link}`);
  const notices = page.getByRole('status').filter({ hasText: 'in the link was left out' });
  await expect(notices).toHaveText(/“model\.n_layer” in the link was left out\. .*from 1 to/);
  await expect(page.getByText('Training stopped')).toHaveCount(0);
  expect(new URL(page.url()).search).toBe('?v=1&preset=names&training.max_iters=77');
  await page.getByRole('button', { name: /^Training/ }).click();
  await expect(page.locator('[id="field-training.max_iters"]')).toHaveValue('77');
});

/** Texts that cannot be used: name, fields, content and message. */
const INVALID_TEXTS: [string, Query, string | Uint8Array, RegExp][] = [
  ['empty', {}, '', /"mine\.txt" has no text in it/],
  [
    'too short for the context',
    {},
    'ab\n\ncd\n\nef',
    /The training text has \d+ tokens, and a context of 16 needs at least 17\./,
  ],
  ['not UTF-8', {}, Uint8Array.of(0xff, 0xfe, 0x61, 0x00, 0x62, 0x00), /not text in UTF-8/],
];
for (const [name, fields, text, message] of INVALID_TEXTS) {
  test(`reports a text that is ${name}`, async ({ page }) => {
    const terrarium = await new Terrarium(page).open({ ...TINY, 'data.corpus': 'own', ...fields });
    await page
      .getByTestId('text-input')
      .setInputFiles({ name: 'mine.txt', mimeType: 'text/plain', buffer: Buffer.from(text) });
    await expect(terrarium.alert.filter({ hasText: message }).first()).toBeVisible({
      timeout: 30_000,
    });
  });
}

test('rejects a text that is too large before reading it', async ({ page }, info) => {
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

test('reports a tokenizer.json of an unsupported kind', async ({ page }) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, 'tokenizer.kind': 'imported' });
  await page.getByRole('button', { name: /^Tokenizer/ }).click();
  const unsupported = {
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
    buffer: Buffer.from(JSON.stringify(unsupported)),
  });
  await expect(
    terrarium.alert.filter({ hasText: /tokenizer\.json is not supported/ }).first(),
  ).toBeVisible({ timeout: 30_000 });
});

test('reports before the run that a tensor exceeds the binding limit, the logits first', async ({
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
