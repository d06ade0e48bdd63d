/** `npm run headless`, as other programs call it. */
import { execFile, type ExecFileException } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { HeadlessStatus, MetricRecord } from '../src/protocol/index.ts';
import { TINY, type Query } from './terrarium.ts';

interface Result {
  /** Exit code. */
  code: number;
  stdout: string;
  stderr: string;
}
const headless = (...args: string[]): Promise<Result> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ['scripts/headless.mjs', ...args],
      { timeout: 170_000, maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => resolve({ code: exitCode(error), stdout, stderr }),
    );
  });

/** Killed processes have no exit code. */
function exitCode(error: ExecFileException | null): number {
  if (!error) return 0;
  return typeof error.code === 'number' ? error.code : 1;
}

const setOptions = (query: Query): string[] =>
  Object.entries(query).flatMap(([field, value]) =>
    field === 'runtime.backend' ? [] : ['--set', `${field}=${String(value)}`],
  );

const parseLines = (text: string): (MetricRecord | { summary: HeadlessStatus })[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as MetricRecord | { summary: HeadlessStatus });

let folder: string;
test.beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrarium-headless-'));
});
test.afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('trains on WebGPU, prints each record and a summary, and unpacks the checkpoint', async () => {
  const json = join(folder, 'records.jsonl');
  const checkpoint = join(folder, 'checkpoint');
  const { code, stdout, stderr } = await headless(
    '--preset',
    'names',
    ...setOptions(TINY),
    '--steps',
    '20',
    '--backend',
    'webgpu',
    '--json',
    json,
    '--checkpoint',
    checkpoint,
  );
  expect(stderr).toContain('Browser: ');
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(await readFile(json, 'utf8')).toBe(stdout);
  const printed = parseLines(stdout);
  const last = printed.pop();
  const records = printed.filter((record) => 'step' in record);
  if (!last || !('summary' in last)) throw new Error('The last line is not a summary.');
  expect(last.summary).toMatchObject({
    finished: 'max_iters',
    step: 20,
    error: null,
    device: { backend: 'webgpu' },
  });
  expect(records.at(-1)?.step).toBe(20);
  for (const key of [
    'train/loss',
    'val/loss',
    'val/bpb',
    'lr',
    'grad_norm',
    'train/tok_per_sec',
    'gpu_bytes',
  ]) {
    const values = records.flatMap((record) => record[key] ?? []);
    expect(values.length, key).toBeGreaterThan(0);
    expect(
      values.every((value) => Number.isFinite(value)),
      key,
    ).toBe(true);
  }
  expect(await readdir(checkpoint)).toEqual(
    expect.arrayContaining(['config.json', 'model.safetensors', 'tokenizer.json']),
  );
});

test('trains on a text file', async () => {
  const file = join(folder, 'own.txt');
  await writeFile(
    file,
    'the sea was wide and the ship was small\n\nthe whale was white\n\n'.repeat(60) +
      Array.from({ length: 60 }, (_, i) => `line ${i} of the log\n\n`).join(''),
  );
  const { code, stdout, stderr } = await headless(
    ...setOptions(TINY),
    '--steps',
    '5',
    '--backend',
    'wasm',
    '--text',
    file,
  );
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(parseLines(stdout).at(-1)).toMatchObject({ summary: { finished: 'max_iters', step: 5 } });
});

test('reports an error in a sentence and with an exit code', async () => {
  const wrong = await headless('--preset', 'nope', '--backend', 'wasm');
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(wrong.stderr).toContain('There is no preset "nope".');
  const heads = await headless('--preset', 'names', '--set', 'model.n_head=3', '--backend', 'wasm');
  expect(heads).toMatchObject({ code: 1, stdout: '' });
  expect(heads.stderr).toContain('cannot be shared out evenly among 3 heads');
  expect(await headless('--colour', 'red')).toMatchObject({ code: 2, stdout: '' });
});
