/** What Terrarium wrote at commit ae06748 opens and continues. */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { decodeConfig, encodeConfig, parseConfig, RunConfigSchema } from '../config/index.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { DEFAULT_LINEAGE } from './lineage.ts';
import { MemoryFileSystem } from './store/file_system.ts';
import { MemoryLocks } from './store/locks.ts';
import { RunStore } from './store/run_store.ts';
import { readFixture, readFixtureFolder, readJsonFixture, STORED_RUN } from './testing_ae06748.ts';
import { readTrainingState, writeTrainingState } from './training_state.ts';
import { unzipFolder } from './unzip.ts';
import { zipFolder } from './zip.ts';

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

/** The rows by step that metrics.jsonl represents, computed line by line. */
function rowsOf(lines: string): Map<number, Map<string, number>> {
  const rows = new Map<number, Map<string, number>>();
  for (const line of lines.split('\n')) {
    let json: Record<string, number>;
    try {
      json = v.parse(v.record(v.string(), v.number()), JSON.parse(line));
    } catch {
      continue;
    }
    const { resume, step, ...values } = json;
    if (resume !== undefined) {
      for (const key of rows.keys()) if (key > resume) rows.delete(key);
    } else if (step !== undefined) {
      const row = rows.get(step) ?? new Map<string, number>();
      for (const [name, value] of Object.entries(values)) row.set(name, value);
      rows.set(step, row);
    }
  }
  return rows;
}

const isIncreasing = (steps: Float64Array) =>
  steps.every((step, i) => i === 0 || step > (steps[i - 1] ?? NaN));

describe('an exported run', () => {
  const files = unzipFolder(readFixture('export/exported-run.zip'));
  const state = readCheckpoint(files);

  it('opens with moments and metrics', () => {
    expect(state).toMatchObject({
      foreign: false,
      step: 24,
      lr_multiplier: 1,
      lineage: DEFAULT_LINEAGE,
      objective_tensors: new Map(),
      config: { training: { optimizer: 'muon' } },
    });
    const moments = new Set([...state.optimizer.keys()].map((name) => name.split('.')[0]));
    expect([...moments].sort()).toEqual(['exp_avg', 'exp_avg_sq', 'momentum_buffer']);
    const { step = new Float64Array(), ...metrics } = state.metrics ?? {};
    expect(step.length).toBeGreaterThan(10);
    expect(isIncreasing(step)).toBe(true);
    expect(Object.keys(metrics)).toEqual(expect.arrayContaining(['train/loss', 'val/loss', 'lr']));
  });

  it('is written again with the same bytes, and with lineage.json', () => {
    const again = writeCheckpoint(state);
    const folder = [...files.keys()][0]?.split('/')[0] ?? '';
    expect([...again.keys()].filter((path) => !files.has(`${folder}/${path}`))).toEqual([
      'lineage.json',
    ]);
    expect(again.size).toBe(files.size + 1);
    for (const [path, bytes] of files) {
      const name = path.slice(folder.length + 1);
      // Its rows are sorted and merged.
      if (name === 'metrics.jsonl') continue;
      expect(again.get(name), name).toEqual(bytes);
    }
    expect(readCheckpoint(unzipFolder(zipFolder(again, 'again')))).toEqual(state);
  });
});

describe('a stored run', () => {
  function open() {
    const fs = new MemoryFileSystem();
    for (const [path, bytes] of readFixtureFolder('stored')) fs.files.set(path, bytes);
    return { fs, store: new RunStore(fs, new MemoryLocks(), null) };
  }

  it('is listed as before, with the default lineage', async () => {
    const { store } = open();
    const expected = v.parse(v.array(v.looseObject({})), readJsonFixture('expected/list.json'));
    // The run was open when the list was recorded.
    const listed = expected.map((run) => ({
      ...run,
      config: parseConfig(run.config),
      locked: false,
      lineage: DEFAULT_LINEAGE,
      best: null,
    }));
    expect(await store.list()).toEqual(listed);
  });

  it('loads, saves and loads again', async () => {
    const { store } = open();
    const run = await store.open(STORED_RUN);
    const loaded = await run.load();
    if (!loaded) return expect.unreachable();
    expect([loaded.recovered, loaded.state.step]).toEqual([false, 60]);
    expect(loaded.state.optimizer.size).toBe(2 * loaded.state.parameters.size);
    const own = await run.loadText();
    expect([own?.name, own?.bytes.length]).toEqual(['meetings.txt', 3036]);
    const later = { ...loaded.state, step: 61, lr_multiplier: 0.5, metrics: undefined };
    await run.save(later);
    expect((await run.load())?.state).toEqual({ ...later, metrics: undefined });
    expect((await store.list())[0]).toMatchObject({ run: STORED_RUN, step: 61, resumable: true });
    await run.close();
    await store.delete(STORED_RUN);
    expect((await store.list()).map(({ run: id }) => id)).toEqual(['unsaved-run']);
  });

  it('has its metrics repaired: in order of steps, and merged where saves overlapped', async () => {
    const { store, fs } = open();
    const lines = text(fs.files.get(`runs/${STORED_RUN}/metrics.jsonl`));
    const written = [...lines.matchAll(/"step":(\d+)/g)].map((match) => Number(match[1]));
    expect(written).not.toEqual([...written].sort((a, b) => a - b));
    expect(lines).toContain('"resume"');
    const rows = rowsOf(lines);
    const { step, ...columns } = await store.readMetrics(STORED_RUN);
    expect([...step]).toEqual([...rows.keys()].sort((a, b) => a - b));
    for (const [name, column] of Object.entries(columns)) {
      expect([...column], name).toEqual([...step].map((key) => rows.get(key)?.get(name) ?? NaN));
    }
    expect(Object.keys(columns)).toEqual(expect.arrayContaining(['train/loss', 'val/loss']));
  });

  it('continues its metrics from a checkpoint', async () => {
    const { store } = open();
    const run = await store.open(STORED_RUN);
    await run.rewindMetrics(50);
    await run.appendMetrics({ step: Float64Array.of(51), 'train/loss': Float64Array.of(2) });
    const metrics = await run.readMetrics();
    expect([...metrics.step].slice(-3)).toEqual([49, 50, 51]);
    expect(metrics['train/loss']?.at(-1)).toBe(2);
  });
});

it('the training state of a mixed-precision run is read, and written with the same bytes', () => {
  const bytes = readFixture('fp16/training_state.json');
  const state = readTrainingState(bytes);
  expect(state.loss_scale?.scale).toBeGreaterThan(1);
  expect(state).toMatchObject({ step: 6, config: { training: { mixed_precision: 'fp16' } } });
  expect(text(writeTrainingState(state))).toBe(text(bytes));
});

const Links = v.array(v.object({ query: v.string(), config: RunConfigSchema }));

it.each(v.parse(Links, readJsonFixture('link/links.json')))(
  'the share link $query gives its configuration',
  ({ query, config }) => {
    expect(decodeConfig(query)).toEqual(config);
    expect(encodeConfig(config)).toBe(query);
  },
);
