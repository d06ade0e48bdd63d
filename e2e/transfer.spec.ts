/** The model goes out, comes back, and goes on. */
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { expect, test, type Page } from '@playwright/test';
import { TINY, Terrarium, column } from './terrarium.ts';

const bring = (page: Page, files: { name: string; bytes: Uint8Array }[]): Promise<void> =>
  page.getByTestId('import-input').setInputFiles(
    files.map(({ name, bytes }) => ({
      name,
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(bytes),
    })),
  );

test('export, import, go on, export again: the run goes on as if it had stayed', async ({
  page,
}) => {
  const whole = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 400 });
  await whole.train();
  await whole.done();
  const expected = column(await whole.metrics(), 'train/loss');

  const terrarium = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 400 });
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const at = await terrarium.step();
  const zip = await terrarium.download('Export model (zip)');
  expect(at).toBeLessThan(400);
  const files = unzipSync(zip.bytes);
  for (const name of [
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
    'generation_config.json',
    'optimizer.safetensors',
    'training_state.json',
  ]) {
    expect(
      Object.keys(files).some((path) => path.endsWith(name)),
      name,
    ).toBe(true);
  }

  // On the same backend: another one rounds differently.
  await terrarium.open({ 'runtime.backend': 'wasm' });
  await bring(page, [{ name: zip.name, bytes: zip.bytes }]);
  await expect(terrarium.sentence).toContainText(/^Paused/, { timeout: 60_000 });
  expect(await terrarium.step()).toBe(at);
  await terrarium.train();
  await terrarium.done();
  const after = column(await terrarium.metrics(), 'train/loss');
  for (let step = at + 1; step <= 400; step++)
    expect(after.get(step), `loss of step ${step}`).toBe(expected.get(step));

  const again = await terrarium.download('Export model (zip)');
  expect(Object.keys(unzipSync(again.bytes)).sort()).toEqual(Object.keys(files).sort());
});

test('damaged, hostile and foreign files are refused in a sentence', async ({ page }) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 5 });
  await terrarium.train();
  await terrarium.done();
  const zip = await terrarium.download('Export model (zip)');
  const files = Object.fromEntries(
    Object.entries(unzipSync(zip.bytes)).map(([path, bytes]) => [
      path.split('/').pop() ?? path,
      bytes,
    ]),
  );
  const weights = files['model.safetensors'] ?? new Uint8Array();
  const long = weights.slice();
  new DataView(long.buffer).setBigUint64(0, 2n ** 40n, true);
  const state = strFromU8(files['training_state.json'] ?? new Uint8Array());
  const cases: [string, Record<string, Uint8Array>, RegExp][] = [
    [
      'truncated weights',
      { ...files, 'model.safetensors': weights.slice(0, weights.length - 100) },
      /damaged/,
    ],
    ['a header beyond the file', { ...files, 'model.safetensors': long }, /damaged/],
    [
      'a pickle',
      {
        'pytorch_model.bin': strToU8('\u0080\u0002}q\u0000.', true),
        'config.json': files['config.json'] ?? new Uint8Array(),
      },
      /pickle|safetensors/i,
    ],
    [
      '__proto__ in config.json',
      { ...files, 'config.json': strToU8('{"__proto__":{"n_layer":9},"model_type":"gpt2"}') },
      /__proto__/,
    ],
    [
      'an unknown version',
      {
        ...files,
        'training_state.json': strToU8(state.replace(/"version":\s*\d+/, '"version": 99')),
      },
      /version/,
    ],
    ['no weights', { 'config.json': files['config.json'] ?? new Uint8Array() }, /no |missing/],
  ];
  for (const [what, changed, says] of cases) {
    await test.step(what, async () => {
      await terrarium.open();
      await bring(page, [{ name: 'model.zip', bytes: zipSync(changed) }]);
      await expect(terrarium.alert.first()).toContainText(says);
    });
  }
  await test.step('not a zip', async () => {
    await terrarium.open();
    await bring(page, [{ name: 'model.zip', bytes: strToU8('nothing of the kind') }]);
    await expect(terrarium.alert.first()).toBeVisible();
  });
  await test.step('what was saved is still there', async () => {
    await terrarium.open();
    await terrarium.menu('Runs');
    await expect(page.getByRole('dialog')).toContainText('Step 5');
  });
});
