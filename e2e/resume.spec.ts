/** Resumed runs continue exactly as uninterrupted ones. */
import { expect, test } from '@playwright/test';
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { LASTING, TINY, Terrarium, column } from './terrarium.ts';

/** Enough that a run can be paused before its end on a fast machine. */
const STEPS = 100;
/** Software WebGPU takes long for a step in float16. */
const FLOAT16_STEPS = 48;
const config = { ...LASTING, 'model.dropout': 0.1, 'training.max_iters': STEPS };

test('a run resumed after a reload has the losses of an uninterrupted run', async ({ page }) => {
  const terrarium = await new Terrarium(page).open(config);
  await terrarium.train();
  await terrarium.done();
  const uninterrupted = column(await terrarium.metrics(), 'train/loss');
  expect(uninterrupted.size).toBe(STEPS);

  await terrarium.open({ ...config, 'runtime.autosave_interval': 10 });
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const pausedAt = await terrarium.step();
  expect(pausedAt, 'paused before the end').toBeLessThan(STEPS);

  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await terrarium.done();
  const resumed = column(await terrarium.metrics(), 'train/loss');
  for (const [step, loss] of resumed)
    expect(loss, `loss of step ${step}`).toBe(uninterrupted.get(step));
  for (let step = pausedAt + 1; step <= STEPS; step++)
    expect(resumed.has(step), `step ${step} was recorded`).toBe(true);
});

type Files = Record<string, Uint8Array>;

const exportFiles = async (terrarium: Terrarium): Promise<Files> =>
  unzipSync((await terrarium.download('Export model (zip)')).bytes);

const statePath = (files: Files): string =>
  Object.keys(files).find((path) => path.endsWith('training_state.json')) ?? '';

const stateText = (files: Files): string => strFromU8(files[statePath(files)] ?? new Uint8Array());

const lossScaleOf = (files: Files): unknown =>
  (JSON.parse(stateText(files)) as { loss_scale?: unknown }).loss_scale;

/** The checkpoint as it would be after steps that overflowed. */
const withOverflows = (files: Files): Files => ({
  ...files,
  [statePath(files)]: strToU8(
    stateText(files).replace(
      /"loss_scale":\s*\{[^}]*\}/u,
      '"loss_scale": { "scale": 512, "clean_steps": 7, "skipped_updates": 2 }',
    ),
  ),
});

async function importAndTrain(terrarium: Terrarium, files: Files): Promise<void> {
  await terrarium.open({ 'runtime.backend': 'webgpu' });
  await terrarium.page.getByTestId('import-input').setInputFiles([
    {
      name: 'run.zip',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(zipSync(files)),
    },
  ]);
  await expect(terrarium.sentence).toContainText(/^Paused/, { timeout: 60_000 });
  await terrarium.train();
}

test('a run in mixed precision resumes with its loss scale and the same losses', async ({
  page,
}) => {
  // Compiles for software WebGPU four times.
  test.slow();
  const terrarium = await new Terrarium(page).open({
    ...TINY,
    'model.dropout': 0.1,
    'runtime.backend': 'webgpu',
    'training.mixed_precision': 'fp16',
    'training.max_iters': FLOAT16_STEPS,
  });
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const at = await terrarium.step();
  const files = await exportFiles(terrarium);
  // With 64 tokens per step, the maximum scale is 2^14.
  expect(lossScaleOf(files)).toEqual({ scale: 2 ** 14, clean_steps: at, skipped_updates: 0 });

  const overflowed = withOverflows(files);
  await importAndTrain(terrarium, overflowed);
  await terrarium.done();
  const uninterrupted = column(await terrarium.metrics(), 'train/loss');

  await importAndTrain(terrarium, overflowed);
  await terrarium.untilStep(at + 3);
  await terrarium.pause();
  const pausedAt = await terrarium.step();
  expect(pausedAt, 'paused before the end').toBeLessThan(FLOAT16_STEPS);
  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await terrarium.done();
  const resumed = column(await terrarium.metrics(), 'train/loss');
  for (let step = pausedAt + 1; step <= FLOAT16_STEPS; step++)
    expect(resumed.get(step), `loss of step ${step}`).toBe(uninterrupted.get(step));
  expect(lossScaleOf(await exportFiles(terrarium))).toEqual({
    scale: 512,
    clean_steps: 7 + FLOAT16_STEPS - at,
    skipped_updates: 2,
  });
});

test('a run that is open in one tab cannot be opened in another and keeps training', async ({
  page,
  context,
}) => {
  const first = await new Terrarium(page).open({ ...LASTING, 'runtime.autosave_interval': 5 });
  await first.train();
  await first.untilStep(10);
  const other = await context.newPage();
  const second = await new Terrarium(other).open();
  await second.menu('Runs');
  await expect(other.getByRole('dialog')).toContainText(/open in another tab/i);
  const before = await first.step();
  await first.untilStep(before + 5);
});
