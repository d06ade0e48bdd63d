/** Exporting and importing models. */
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { expect, test, type Page } from '@playwright/test';
import { LASTING, TINY, Terrarium, column } from './terrarium.ts';

const importFile = (page: Page, name: string, bytes: Uint8Array): Promise<void> =>
  page
    .getByTestId('import-input')
    .setInputFiles([{ name, mimeType: 'application/octet-stream', buffer: Buffer.from(bytes) }]);

/** Files that every export has. */
const EXPORTED = [
  'config.json',
  'model.safetensors',
  'tokenizer.json',
  'tokenizer_config.json',
  'generation_config.json',
  'optimizer.safetensors',
  'training_state.json',
];

/** Enough that a run can be paused before its end on a fast machine. */
const STEPS = 100;

/** Files of the exported folder, without the best checkpoint, which it has if it is not the last. */
const pathsOf = (zip: Uint8Array): string[] =>
  Object.keys(unzipSync(zip))
    .filter((path) => !path.includes('best/'))
    .sort();

test('an exported and imported run has the losses of an uninterrupted run', async ({ page }) => {
  const config = { ...LASTING, 'training.max_iters': STEPS };
  const terrarium = await new Terrarium(page).open(config);
  await terrarium.train();
  await terrarium.done();
  const uninterrupted = column(await terrarium.metrics(), 'train/loss');

  await terrarium.open(config);
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const pausedAt = await terrarium.step();
  expect(pausedAt, 'paused before the end').toBeLessThan(STEPS);
  const zip = await terrarium.download('Export model (zip)');
  const paths = pathsOf(zip.bytes);
  expect(paths.map((path) => path.split('/').pop())).toEqual(expect.arrayContaining(EXPORTED));

  // On the same backend, because another one rounds differently.
  await terrarium.open({ 'runtime.backend': 'wasm' });
  await importFile(page, zip.name, zip.bytes);
  await expect(terrarium.sentence).toContainText(/^Paused/, { timeout: 60_000 });
  expect(await terrarium.step()).toBe(pausedAt);
  await terrarium.train();
  await terrarium.done();
  const imported = column(await terrarium.metrics(), 'train/loss');
  for (let step = pausedAt + 1; step <= STEPS; step++)
    expect(imported.get(step), `loss of step ${step}`).toBe(uninterrupted.get(step));

  const secondZip = await terrarium.download('Export model (zip)');
  expect(pathsOf(secondZip.bytes)).toEqual(paths);
});

type Files = Record<string, Uint8Array>;

/** An invalid model folder, the code of its error, and what the message says. */
interface InvalidModel {
  name: string;
  files: Files;
  code: string;
  message: RegExp;
}

const EMPTY = new Uint8Array();

/** Truncated, malicious and foreign variants of an exported folder. */
function invalidModels(files: Files): InvalidModel[] {
  const { 'model.safetensors': weights = EMPTY, ...withoutWeights } = files;
  const longHeader = weights.slice();
  new DataView(longHeader.buffer).setBigUint64(0, 2n ** 40n, true);
  const state = strFromU8(files['training_state.json'] ?? EMPTY);
  return [
    {
      name: 'truncated weights',
      files: { ...files, 'model.safetensors': weights.slice(0, weights.length - 100) },
      code: 'truncated',
      message: /model\.safetensors is damaged/,
    },
    {
      name: 'a header that is longer than the file',
      files: { ...files, 'model.safetensors': longHeader },
      code: 'truncated',
      message: /model\.safetensors is damaged/,
    },
    {
      name: 'a pickle',
      files: { ...withoutWeights, 'pytorch_model.bin': strToU8('\u0080\u0002}q\u0000.', true) },
      code: 'pickle',
      message: /pytorch_model\.bin is a Python pickle/,
    },
    {
      name: '__proto__ in config.json',
      files: {
        ...files,
        'config.json': strToU8('{"__proto__":{"n_layer":9},"model_type":"gpt2"}'),
      },
      code: 'forbidden_name',
      message: /config\.json.*__proto__/,
    },
    {
      name: 'an unknown version',
      files: {
        ...files,
        'training_state.json': strToU8(state.replace(/"version":\s*\d+/, '"version": 99')),
      },
      code: 'unknown_version',
      message: /version 99/,
    },
    {
      name: 'no weights',
      files: withoutWeights,
      code: 'missing_file',
      message: /The folder has no model\.safetensors/,
    },
  ];
}

test('rejects damaged, malicious and foreign files, each with its own message', async ({
  page,
}) => {
  const terrarium = await new Terrarium(page).open({ ...TINY, 'training.max_iters': 5 });
  await terrarium.train();
  await terrarium.done();
  const zip = await terrarium.download('Export model (zip)');
  const files = Object.fromEntries(
    Object.entries(unzipSync(zip.bytes))
      .filter(([path]) => !path.includes('best/'))
      .map(([path, bytes]) => [path.split('/').pop() ?? path, bytes]),
  );
  const error = page.getByTestId('error');
  for (const { name, files: changed, code, message } of invalidModels(files)) {
    await test.step(name, async () => {
      await terrarium.open();
      await importFile(page, 'model.zip', zipSync(changed));
      await expect(error).toHaveAttribute('data-code', code);
      await expect(error).toContainText(message);
    });
  }
  await test.step('not a zip', async () => {
    await terrarium.open();
    await importFile(page, 'model.zip', strToU8('not a zip file'));
    await expect(error).toHaveAttribute('data-code', 'bad_zip');
    await expect(error).toContainText('model.zip is not a zip file.');
  });
  await test.step('the saved run is still in the library', async () => {
    await terrarium.open();
    await terrarium.menu('Runs');
    await expect(page.getByRole('dialog')).toContainText('5 of 5');
  });
});
