/** A run that is paused, left and taken up again is the same run. */
import { expect, test } from '@playwright/test';
import { strFromU8, strToU8, unzipSync, zipSync } from 'fflate';
import { TINY, Terrarium, column } from './terrarium.ts';

const STEPS = 400;
const config = { ...TINY, 'model.dropout': 0.1, 'training.max_iters': STEPS };

test('pause, reload, resume: every loss is that of a run without the pause', async ({ page }) => {
  const terrarium = await new Terrarium(page).open(config);
  await terrarium.train();
  await terrarium.done();
  const whole = column(await terrarium.metrics(), 'train/loss');
  expect(whole.size).toBe(STEPS);

  await terrarium.open({ ...config, 'runtime.autosave_interval': 10 });
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const left = await terrarium.step();
  expect(left, 'paused before the end').toBeLessThan(STEPS);

  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await terrarium.done();
  const parts = column(await terrarium.metrics(), 'train/loss');
  for (const [step, loss] of parts) expect(loss, `loss of step ${step}`).toBe(whole.get(step));
  for (let step = left + 1; step <= STEPS; step++)
    expect(parts.has(step), `step ${step} was recorded`).toBe(true);
});

test('in mixed precision too, with the loss scale that it had', async ({ page }) => {
  // Four pages compile for WebGPU in software.
  test.slow();
  const half = {
    ...config,
    'runtime.backend': 'webgpu',
    'training.mixed_precision': 'fp16',
    'training.max_iters': 100,
  } as const;
  const terrarium = await new Terrarium(page).open(half);
  const exported = async (): Promise<Record<string, Uint8Array>> =>
    unzipSync((await terrarium.download('Export model (zip)')).bytes);
  const state = (files: Record<string, Uint8Array>): string =>
    Object.keys(files).find((path) => path.endsWith('training_state.json')) ?? '';
  const scale = (files: Record<string, Uint8Array>): unknown =>
    (JSON.parse(strFromU8(files[state(files)] ?? new Uint8Array())) as { loss_scale?: unknown })
      .loss_scale;
  await terrarium.train();
  await terrarium.untilStep(3);
  await terrarium.pause();
  const at = await terrarium.step();
  const files = await exported();
  // 64 tokens a step: the largest scale is 2^14.
  expect(scale(files)).toEqual({ scale: 2 ** 14, clean_steps: at, skipped_updates: 0 });

  // As it is after steps that overflowed.
  const path = state(files);
  const changed = strFromU8(files[path] ?? new Uint8Array()).replace(
    /"loss_scale":\s*\{[^}]*\}/u,
    '"loss_scale": { "scale": 512, "clean_steps": 7, "skipped_updates": 2 }',
  );
  const bring = async (): Promise<void> => {
    await terrarium.open({ 'runtime.backend': 'webgpu' });
    await page.getByTestId('import-input').setInputFiles([
      {
        name: 'run.zip',
        mimeType: 'application/octet-stream',
        buffer: Buffer.from(zipSync({ ...files, [path]: strToU8(changed) })),
      },
    ]);
    await expect(terrarium.sentence).toContainText(/^Paused/, { timeout: 60_000 });
    await terrarium.train();
  };
  await bring();
  await terrarium.done();
  const whole = column(await terrarium.metrics(), 'train/loss');
  await bring();
  await terrarium.untilStep(at + 3);
  await terrarium.pause();
  const left = await terrarium.step();
  expect(left, 'paused before the end').toBeLessThan(100);
  await page.reload();
  await page.getByRole('button', { name: 'Resume' }).first().click();
  await terrarium.done();
  const parts = column(await terrarium.metrics(), 'train/loss');
  for (let step = left + 1; step <= 100; step++)
    expect(parts.get(step), `loss of step ${step}`).toBe(whole.get(step));
  expect(scale(await exported())).toEqual({
    scale: 512,
    clean_steps: 7 + 100 - at,
    skipped_updates: 2,
  });
});

test('the same run in a second tab is refused there and goes on here', async ({
  page,
  context,
}) => {
  const first = await new Terrarium(page).open({
    ...config,
    'training.max_iters': 5000,
    'runtime.autosave_interval': 5,
  });
  await first.train();
  await first.untilStep(10);
  const other = await context.newPage();
  const second = await new Terrarium(other).open();
  await second.menu('Runs');
  await expect(other.getByRole('dialog')).toContainText(/open in another tab/i);
  const before = await first.step();
  await first.untilStep(before + 5);
});
